"""Everything on this machine: Label Studio, Redis and annotune, started, watched and stopped."""
