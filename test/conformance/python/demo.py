"""What is asked of the demo model."""

import json

MODEL = "eyrie-demo"
SUM = "<human>: What is 12 plus 30?\n<bot>:"
ENDED = ("completed", "failed", "expired", "cancelled")


def line(custom_id, **more):
    body = {"model": MODEL, "prompt": SUM, "max_tokens": 8, "temperature": 0, **more}
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": "/v1/completions", "body": body})


def records(content):
    return [json.loads(text) for text in content.text.splitlines()]
