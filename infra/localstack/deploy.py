"""Deploys the stack to an emulator, or to a LocalStack, with functions that are built already.

``python deploy.py --endpoint URL --functions FOLDER [--stack NAME] [--account ID] [Parameter=Value ...]`` prints the outputs as JSON.
``FOLDER`` holds ``intake.zip`` or the program ``intake``, and so on; a function with neither gets the program ``bootstrap``.

It does what ``sam build`` and ``sam deploy`` do, in a second instead of a minute: zips and nested templates go to a bucket, the
template names them, CloudFormation does the rest, the transform of SAM included.
"""

import argparse
import io
import json
import pathlib
import sys
import zipfile

import boto3

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

import templates  # noqa: E402 - found in the folder that was just added

PARAMETERS = {"Stage": "localstack", "LogRetentionDays": "1"}


def deploy(
    endpoint: str, functions: pathlib.Path, stack: str = "orchestrator", account: str = "000000000000", parameters=None
) -> dict:
    """Creates the stack in an account and returns its outputs; ends with an error if CloudFormation does."""
    session = boto3.Session(aws_access_key_id=account, aws_secret_access_key="test", region_name="us-east-1")
    s3, cloudformation = (session.client(name, endpoint_url=endpoint) for name in ("s3", "cloudformation"))
    bucket = f"{stack}-deployment-{account}"
    s3.create_bucket(Bucket=bucket)

    def upload(key: str, content: bytes) -> str:
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        return f"{endpoint}/{bucket}/{key}"

    template = templates.load("template.yaml")
    del template["Globals"]["Function"]["CodeUri"]
    for function in templates.of_type(template, "AWS::Serverless::Function").values():
        binary = function.pop("Metadata")["BuildProperties"]["Binary"]
        upload(f"{binary}.zip", package(functions, binary))
        function["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": f"{binary}.zip"}
    for nested in templates.of_type(template, "AWS::CloudFormation::Stack").values():
        name = nested["Properties"]["TemplateURL"]
        nested["Properties"]["TemplateURL"] = upload(name, templates.to_json(templates.load(name)).encode())

    values = {**PARAMETERS, **(parameters or {})}
    cloudformation.create_stack(
        StackName=stack,
        TemplateURL=upload("template.json", templates.to_json(template).encode()),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    waiter = cloudformation.get_waiter("stack_create_complete")
    try:
        waiter.wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    except Exception as error:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        reasons = [f"{e['LogicalResourceId']}: {e['ResourceStatusReason']}" for e in events if e.get("ResourceStatusReason")]
        raise SystemExit(f"error: stack '{stack}' was not created: {error}\n" + "\n".join(reasons)) from error
    created = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in created["Outputs"]}


def package(functions: pathlib.Path, binary: str) -> bytes:
    """The zip of a function, made of its program if there is none."""
    if (functions / f"{binary}.zip").exists():
        return (functions / f"{binary}.zip").read_bytes()
    program = functions / binary if (functions / binary).exists() else functions / "bootstrap"
    if not program.exists():
        raise SystemExit(f"error: '{functions}' has neither {binary}.zip nor {binary} (build the functions first)")
    packed = io.BytesIO()
    # Not compressed: it does not travel.
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, program.read_bytes())
    return packed.getvalue()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Deploys the stack to an emulator.")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--functions", required=True, type=pathlib.Path)
    parser.add_argument("--stack", default="orchestrator")
    parser.add_argument("--account", default="000000000000")
    parser.add_argument("parameters", nargs="*", metavar="Parameter=Value")
    options = parser.parse_args()
    parameters = dict(parameter.split("=", 1) for parameter in options.parameters)
    outputs = deploy(options.endpoint, options.functions, options.stack, options.account, parameters)
    print(json.dumps(outputs, indent=2, sort_keys=True))


if __name__ == "__main__":
    main()
