"""AWS on this machine, for tests: MiniStack, with what the orchestrator needs and MiniStack lacks.

MiniStack answers the API of LocalStack on one port and runs function binaries without containers. This package starts it
in its own process and puts stand-ins of ours in place of what it does not do:

- ``process``: a free port, a folder of its own, an end that leaves nothing behind
- ``batch``: the job API of AWS Batch
- ``batch_job``: one job's life: states, attempts, time-outs, lost hosts, commands run as local programs
- ``batch_resources``: queues, definitions, scheduling policies
- ``cloudformation``: resource types and properties of the template that MiniStack does not know
- ``http_api``: requests without credentials
- ``tuning``: quick schedules, quick invocations

Nothing here is part of a deployed stack.
"""
