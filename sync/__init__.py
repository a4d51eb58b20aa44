"""The loop as one straight story: hear, pull, decide, train, judge, promote, push, order."""
