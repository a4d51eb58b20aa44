"""The whole loop again, offline, over what people have labelled: would it have saved them work?"""
