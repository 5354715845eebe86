"""The official Python client against a running service.

    python sync_client.py API_URL API_KEY WEBHOOK_SECRET CATCHER_URL
"""

import hashlib
import io
import json
import sys
import tempfile
import time
import uuid
from pathlib import Path

import openai
from checks import check, equal, expect, fails, run
from demo import ENDED, MODEL, SUM, line, records
from http_library import http

URL, KEY, SECRET, CATCHER = sys.argv[1:]
client = openai.OpenAI(base_url=URL, api_key=KEY, webhook_secret=SECRET, timeout=100)


def upload(text, name="in.jsonl"):
    return client.files.create(file=(name, text.encode()), purpose="batch")


def create(file_id, **more):
    return client.batches.create(input_file_id=file_id, endpoint="/v1/completions", completion_window="24h", **more)


def finish(batch):
    until = time.monotonic() + 90
    while batch.status not in ENDED:
        expect(time.monotonic() < until, f"{batch.id} is still {batch.status}")
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    return batch


@check
def files_are_created_from_bytes_a_path_and_an_open_file():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "path.jsonl")
        path.write_text(line("a"))
        for source in (line("a").encode(), path, path.open("rb"), ("named.jsonl", io.BytesIO(line("a").encode()))):
            made = client.files.create(file=source, purpose="batch")
            equal((made.object, made.purpose, made.status), ("file", "batch", "processed"))
    dated = client.files.create(file=("in.jsonl", b"{}"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600})
    equal(dated.expires_at, dated.created_at + 3600)


@check
def files_are_shown_read_waited_for_and_deleted_twice():
    text = line("ü") + "\r\n\n" + line("b")
    made = upload(text, "read.jsonl")
    equal(client.files.retrieve(made.id).filename, "read.jsonl")
    equal(client.files.content(made.id).content, text.encode())
    equal(client.files.wait_for_processing(made.id).status, "processed")
    for _ in range(2):
        expect(client.files.delete(made.id).deleted, "not deleted")
    with fails(openai.NotFoundError):
        client.files.retrieve(made.id)


@check
def files_are_listed_by_pages_each_once():
    made = [upload(line(str(i)), f"page-{i}.jsonl").id for i in range(7)]
    seen = [file.id for file in client.files.list(limit=3)]
    equal(len(set(seen)), len(seen))
    equal(seen[:7], made[::-1])


@check
def a_file_that_is_too_large_is_refused_with_a_413():
    large = b" " * (201 * 1024 * 1024)
    once = client.with_options(max_retries=0)
    with fails(openai.APIStatusError, status_code=413, code="file_too_large"):
        once.files.create(file=("large.jsonl", large), purpose="batch")


@check
def uploads_take_parts_in_any_order_and_check_sum_and_digest():
    parts = [line("a") + "\n", line("b")[:20], line("b")[20:] + "\n"]
    text = "".join(parts).encode()
    made = client.uploads.create(purpose="batch", filename="large.jsonl", bytes=len(text), mime_type="application/jsonl")
    ids = {at: client.uploads.parts.create(made.id, data=parts[at].encode()).id for at in (2, 0, 1)}
    in_order = [ids[at] for at in range(3)]
    with fails(openai.BadRequestError):
        client.uploads.complete(made.id, part_ids=in_order[1:])
    with fails(openai.BadRequestError):
        client.uploads.complete(made.id, part_ids=in_order, md5="0" * 32)
    done = client.uploads.complete(made.id, part_ids=in_order, md5=hashlib.md5(text).hexdigest())
    equal((done.status, done.file.bytes), ("completed", len(text)))
    other = client.uploads.create(purpose="batch", filename="x.jsonl", bytes=1, mime_type="application/jsonl")
    for _ in range(2):
        equal(client.uploads.cancel(other.id).status, "cancelled")


@check
def a_file_is_uploaded_in_chunks_by_the_client_itself():
    text = "\n".join(line(str(i)) for i in range(3000)).encode()
    done = client.uploads.upload_file_chunked(
        file=text, filename="chunked.jsonl", bytes=len(text), mime_type="application/jsonl", purpose="batch", part_size=200_000)
    equal((done.status, done.file.bytes), ("completed", len(text)))
    equal(client.files.content(done.file.id).content, text)


@check
def a_batch_runs_from_file_to_results_and_tells_its_webhook():
    made = create(upload("\n".join([line("z"), line("bad", max_tokens=9999), line("a")])).id,
                  metadata={"run": "nightly"}, extra_body={"eyrie": {"webhook": {"url": CATCHER}}})
    equal((made.object, made.status, made.metadata), ("batch", "validating", {"run": "nightly"}))
    end = finish(made)
    equal(end.status, "completed")
    equal((end.request_counts.total, end.request_counts.completed, end.request_counts.failed), (3, 2, 1))
    expect(end.usage.total_tokens > 0, "no usage")
    output = records(client.files.content(end.output_file_id))
    equal([record["custom_id"] for record in output], ["z", "a"])
    equal(output[0]["response"]["body"]["choices"][0]["text"], " 42")
    equal(records(client.files.content(end.error_file_id))[0]["response"]["body"]["error"]["code"], "context_length_exceeded")
    until = time.monotonic() + 30
    while not (caught := [hook for hook in http.get(CATCHER).json() if end.id in hook["body"]]):
        expect(time.monotonic() < until, "no webhook came")
        time.sleep(0.1)
    event = client.webhooks.unwrap(caught[0]["body"], caught[0]["headers"])
    equal((event.type, event.data.id), ("batch.completed", end.id))
    forged = caught[0]["body"].replace(end.id, "batch_x")
    with fails(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(forged, caught[0]["headers"])


@check
def a_batch_that_is_not_valid_lists_every_error():
    end = finish(create(upload("\n".join(["no json", line("a"), line("a")])).id))
    equal(end.status, "failed")
    equal([(error.code, error.line) for error in end.errors.data], [("invalid_json_line", 1), ("duplicate_custom_id", 3)])


@check
def a_batch_is_cancelled_and_an_ended_one_is_not():
    lines = "\n".join(line(str(i), max_tokens=400, ignore_eos=True) for i in range(600))
    made = create(upload(lines).id)
    expect(client.batches.cancel(made.id).status in ("cancelling", "cancelled"), "not cancelling")
    end = finish(made)
    equal(end.status, "cancelled")
    equal(end.request_counts.completed + end.request_counts.failed, end.request_counts.total)
    done = finish(create(upload(line("a")).id))
    with fails(openai.ConflictError):
        client.with_options(max_retries=0).batches.cancel(done.id)


@check
def batches_are_listed_by_pages_each_once():
    file_id = upload(line("a")).id
    made = [create(file_id, metadata={"i": str(i)}).id for i in range(7)]
    seen = [batch.id for batch in client.batches.list(limit=3)]
    equal(len(set(seen)), len(seen))
    equal(seen[:7], made[::-1])


@check
def a_batch_is_made_once_however_often_the_client_tries():
    file_id, ids = upload(line("a")).id, []

    class Lossy(http.HTTPTransport):
        """Loses the first answer to a create on its way back."""

        def handle_request(self, request):
            answer = super().handle_request(request)
            if request.url.path.endswith("/batches"):
                answer.read()
                ids.append(answer.json()["id"])
                if len(ids) == 1:
                    raise http.ReadError("the connection broke")
            return answer

    lossy = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=2, http_client=http.Client(transport=Lossy()))
    made = lossy.batches.create(input_file_id=file_id, endpoint="/v1/completions", completion_window="24h", metadata={"only": str(uuid.uuid4())})
    equal(ids, [made.id, made.id])


@check
def a_batch_keeps_to_its_idempotency_key():
    file_id, headers = upload(line("a")).id, {"Idempotency-Key": str(uuid.uuid4())}
    first = create(file_id, extra_headers=headers)
    equal(create(file_id, extra_headers=headers).id, first.id)
    with fails(openai.UnprocessableEntityError, code="idempotency_key_reused"):
        create(file_id, metadata={"a": "b"}, extra_headers=headers)


@check
def models_are_listed_and_shown():
    expect(MODEL in [model.id for model in client.models.list()], "not listed")
    equal(client.models.retrieve(MODEL).id, MODEL)
    with fails(openai.NotFoundError):
        client.models.retrieve("gpt/none")


@check
def completions_answer_one_prompt_and_many_and_stream():
    one = client.completions.create(model=MODEL, prompt=SUM, max_tokens=8, temperature=0)
    equal((one.choices[0].text, one.choices[0].finish_reason), (" 42", "stop"))
    expect(one._request_id.startswith("req_"), "no request id")
    scored = client.completions.create(model=MODEL, prompt=[SUM, "Hi"], max_tokens=1, temperature=0, logprobs=1, echo=True)
    equal([choice.index for choice in scored.choices], [0, 1])
    equal(scored.choices[0].logprobs.token_logprobs[0], None)
    asked = dict(model=MODEL, prompt=SUM, max_tokens=24, temperature=1, seed=5, extra_body={"ignore_eos": True})
    text = "".join(chunk.choices[0].text for chunk in client.completions.create(**asked, stream=True) if chunk.choices)
    equal(text, client.completions.create(**asked).choices[0].text)


@check
def chat_answers_whole_and_streamed_with_usage():
    asked = dict(model=MODEL, messages=[{"role": "user", "content": "What is 12 plus 30?"}], temperature=0)
    whole = client.chat.completions.create(**asked)
    equal(whole.choices[0].message.content, "42")
    text, usage = "", None
    for chunk in client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    equal(text, "42")
    equal(usage.total_tokens, whole.usage.total_tokens)


@check
def chat_refuses_tools_in_words():
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    with fails(openai.BadRequestError, says="tools"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}], tools=tools)


@check
def chat_keeps_to_a_json_schema():
    schema = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"], "additionalProperties": False}
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Is it good?"}], temperature=1, seed=3, max_tokens=100,
        response_format={"type": "json_schema", "json_schema": {"name": "mood", "strict": True, "schema": schema}})
    expect(json.loads(answer.choices[0].message.content) in ({"mood": "good"}, {"mood": "bad"}), answer.choices[0].message.content)


@check
def a_stream_that_is_left_is_given_up():
    with client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Spell planet."}],
                                        max_tokens=400, temperature=1, stream=True) as stream:
        next(iter(stream))
    equal(client.completions.create(model=MODEL, prompt=SUM, max_tokens=8, temperature=0).choices[0].text, " 42")


@check
def errors_have_their_class_code_and_field():
    with fails(openai.AuthenticationError, code="invalid_api_key"):
        openai.OpenAI(base_url=URL, api_key="ey_no").models.list()
    with fails(openai.BadRequestError, code="invalid_value", param="temperature"):
        client.completions.create(model=MODEL, prompt=SUM, temperature=3)
    with fails(openai.NotFoundError, code="model_not_found"):
        client.completions.create(model="gpt-4", prompt=SUM)
    with fails(openai.BadRequestError):
        client.embeddings.create(model=MODEL, input="x")


run()
