"""Model calls in a process of their own: a client, a worker and the protocol between them."""
