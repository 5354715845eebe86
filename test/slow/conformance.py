"""Every method of the official Python client that the service offers, against a running service. Prints one line per check."""

import base64
import hashlib
import hmac
import io
import json
import os
import sys
import time
import traceback

import openai

MODEL = os.environ["EYRIE_MODEL"]
client = openai.OpenAI(
    base_url=os.environ["EYRIE_URL"],
    api_key=os.environ["EYRIE_KEY"],
    webhook_secret=os.environ["EYRIE_WEBHOOK_SECRET"],
)
PROMPT = "<human>: Calculate 12 + 79.\n<bot>:"


def line(at):
    body = {"model": MODEL, "prompt": PROMPT, "max_tokens": 8, "temperature": 0}
    return json.dumps({"custom_id": f"c{at}", "method": "POST", "url": "/v1/completions", "body": body}) + "\n"


def upload(count=3):
    content = "".join(map(line, range(count))).encode()
    return client.files.create(file=("in.jsonl", io.BytesIO(content)), purpose="batch"), content


def raises(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def check_files():
    file, content = upload()
    assert file.object == "file" and file.purpose == "batch" and file.bytes == len(content)
    assert client.files.retrieve(file.id).filename == "in.jsonl"
    assert client.files.content(file.id).read() == content
    assert client.files.delete(file.id).deleted is True
    raises(openai.NotFoundError, lambda: client.files.retrieve(file.id))


def check_file_pages():
    made = {upload(1)[0].id for _ in range(5)}
    assert made <= {file.id for file in client.files.list(limit=2, purpose="batch")}


def check_uploads():
    content = (line(1) + line(2)).encode()
    made = client.uploads.create(bytes=len(content), filename="p.jsonl", mime_type="application/jsonl", purpose="batch")
    parts = {}
    for name in ("second", "first"):
        data = content[:100] if name == "first" else content[100:]
        parts[name] = client.uploads.parts.create(made.id, data=data).id
    done = client.uploads.complete(
        made.id, part_ids=[parts["first"], parts["second"]], md5=hashlib.md5(content).hexdigest()
    )
    assert done.status == "completed" and client.files.content(done.file.id).read() == content
    other = client.uploads.create(bytes=1, filename="p.jsonl", mime_type="application/jsonl", purpose="batch")
    assert client.uploads.cancel(other.id).status == "cancelled"
    raises(openai.BadRequestError, lambda: client.uploads.parts.create(other.id, data=b"x"))


def ended(batch_id):
    end = time.time() + 120
    while time.time() < end:
        batch = client.batches.retrieve(batch_id)
        if batch.status in ("completed", "failed", "expired", "cancelled"):
            return batch
        time.sleep(0.1)
    raise AssertionError("the batch did not end")


def create(file_id, **more):
    return client.batches.create(
        input_file_id=file_id, endpoint="/v1/completions", completion_window="24h", **more
    )


def check_batches():
    file, _ = upload(4)
    batch = create(file.id, metadata={"suite": "conformance"})
    assert batch.object == "batch" and batch.status == "validating"
    batch = ended(batch.id)
    assert batch.status == "completed" and batch.metadata == {"suite": "conformance"}
    assert (batch.request_counts.total, batch.request_counts.completed) == (4, 4)
    results = [json.loads(text) for text in client.files.content(batch.output_file_id).text.splitlines()]
    assert [result["custom_id"] for result in results] == ["c0", "c1", "c2", "c3"]
    assert all(result["response"]["status_code"] == 200 for result in results)


def check_failed_batch():
    bad = client.files.create(file=("bad.jsonl", b"no json\n"), purpose="batch")
    batch = ended(create(bad.id).id)
    assert batch.status == "failed" and batch.errors.data[0].code == "invalid_json_line"
    assert batch.errors.data[0].line == 1


def check_batch_pages():
    file, _ = upload(1)
    made = [create(file.id).id for _ in range(3)]
    walked = [batch.id for batch in client.batches.list(limit=2)]
    assert set(made) <= set(walked) and len(walked) == len(set(walked))
    for batch_id in made:
        ended(batch_id)
    raises(openai.ConflictError, lambda: client.batches.cancel(made[0]))


def check_cancel():
    batch = create(upload(20_000)[0].id)
    assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled")
    assert ended(batch.id).status == "cancelled"


def check_models():
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).object == "model"
    raises(openai.NotFoundError, lambda: client.models.retrieve("no-such-model"))


def check_completions():
    asked = {"model": MODEL, "prompt": PROMPT, "max_tokens": 8, "temperature": 0}
    whole = client.completions.create(**asked, logprobs=2)
    choice = whole.choices[0]
    assert whole.object == "text_completion" and len(choice.logprobs.tokens) == whole.usage.completion_tokens
    streamed = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].text for c in streamed if c.choices) == choice.text
    assert streamed[-1].usage.completion_tokens == whole.usage.completion_tokens
    scored = client.completions.create(model=MODEL, prompt=[12, 13, 14], max_tokens=0, echo=True, logprobs=1)
    assert scored.choices[0].logprobs.token_logprobs[0] is None


def check_chat():
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Calculate 12 + 79."}], "temperature": 0}
    whole = client.chat.completions.create(**asked, max_tokens=16)
    answer = whole.choices[0].message.content
    assert whole.object == "chat.completion" and whole.choices[0].message.role == "assistant"
    chunks = list(client.chat.completions.create(**asked, max_tokens=16, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices).strip() == answer.strip()
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    error = raises(openai.BadRequestError, lambda: client.chat.completions.create(**asked, tools=[tool]))
    assert error.param.startswith("tools") and "not supported" in error.message


def check_abort():
    stream = client.completions.create(model=MODEL, prompt=PROMPT, max_tokens=100, stream=True, extra_body={"ignore_eos": True})
    next(iter(stream))
    stream.close()
    assert client.completions.create(model=MODEL, prompt=PROMPT, max_tokens=1).choices


def check_errors():
    stranger = openai.OpenAI(base_url=os.environ["EYRIE_URL"], api_key="ey_wrong", max_retries=0)
    assert raises(openai.AuthenticationError, lambda: list(stranger.models.list())).code == "invalid_api_key"
    error = raises(openai.BadRequestError, lambda: client.completions.create(model=MODEL, prompt="a", temperature=9))
    assert error.param == "temperature" and error.request_id
    raises(openai.NotFoundError, lambda: client.batches.retrieve("batch_none"))
    raises(openai.NotFoundError, lambda: client.completions.create(model="other", prompt="a"))
    raises(openai.APIStatusError, lambda: client.embeddings.create(model=MODEL, input="a"))


def check_webhooks():
    secret = base64.b64decode(os.environ["EYRIE_WEBHOOK_SECRET"].removeprefix("whsec_"))
    body = json.dumps({"id": "evt_1", "object": "event", "type": "batch.completed", "created_at": 1, "data": {"id": "batch_1"}})
    stamp = str(int(time.time()))
    digest = hmac.new(secret, f"evt_1.{stamp}.{body}".encode(), hashlib.sha256).digest()
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
    assert client.webhooks.unwrap(body, headers).data.id == "batch_1"
    raises(openai.InvalidWebhookSignatureError, lambda: client.webhooks.unwrap(body + " ", headers))


failed = 0
for name, check in [(n, f) for n, f in list(globals().items()) if n.startswith("check_")]:
    try:
        check()
        print(f"ok: openai {openai.__version__}: {name[6:].replace('_', ' ')}")
    except Exception:
        failed += 1
        print(f"FAILED: openai {openai.__version__}: {name[6:].replace('_', ' ')}")
        traceback.print_exc()
sys.exit(1 if failed else 0)
