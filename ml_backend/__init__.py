"""The server that answers Label Studio: its wire contract, routes, auth and limits."""
