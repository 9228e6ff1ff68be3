"""What a client can do beside asking once; each is loaded when it is first used."""
