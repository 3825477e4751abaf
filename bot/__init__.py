"""Shell 2: the GitHub App as a service.

webhooks     from a delivery's bytes to an intent: port, signature, ledger, routing
runs         which runs are wanted, the queue that executes them, and what one execution does
publishing   verdicts on GitHub: one check per run, one comment per pull request
approvals    who may use which command, and which approvals count for a verdict
commands     one module per command in a comment
pages        what the browser shows, to whom: sign-in, rights, one view per page
operations   setup, doctor, and the sweep that repairs what events did not bring
store        the database, reached through ``Records`` and ``AsyncRecords``
telemetry    logs, metrics, health

The modules beside the rooms put them together: ``cli``, ``service``, ``worker``, ``settings``. Rooms share values, the
store's records and the queue; ``tests/test_architecture.py`` names which room may import which.
"""
