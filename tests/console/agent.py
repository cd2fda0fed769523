"""An agent of the tests: prints, waits, fails or succeeds as its parameters say."""

import json
import os
import sys
import time

task = json.load(sys.stdin)
params = task.get("params") or {}
print("\x1b[1;34m==>\x1b[0m working on \x1b[32m%s\x1b[0m" % task.get("task_id"), flush=True)
print(params.get("say", ""), flush=True)
for number in range(int(params.get("lines", 0))):
    print("\x1b[33mINFO\x1b[0m line %06d: nothing unusual happened in this part of the work" % number)
sys.stdout.flush()
time.sleep(float(params.get("seconds", 0)))
if params.get("fail"):
    print("\x1b[31mERROR\x1b[0m it broke", file=sys.stderr)
    sys.exit(1)
with open(os.environ["ORCHESTRATOR_OUTPUT"], "w", encoding="utf-8") as output:
    json.dump(params.get("output", {"rows": 1200}), output)
