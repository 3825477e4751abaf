"""From a delivery's bytes to an intent: the port, the signature, the ledger, the routing."""
