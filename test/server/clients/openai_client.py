"""Talks to a server as programs do that have OpenAI's own library: python openai_client.py URL. Says "ok" at its end."""

import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", max_retries=0)
MODEL = "tiny"


def chat(text, model=MODEL, **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


def stream_text(stream):
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


models = [model.id for model in client.models.list()]
assert MODEL in models, models
assert client.models.retrieve(MODEL).id == MODEL

plain = chat("Once upon a time", seed=6, max_tokens=20)
assert plain.choices[0].finish_reason == "length" and plain.usage.completion_tokens == 20, plain
text = plain.choices[0].message.content
streamed = stream_text(chat("Once upon a time", seed=6, max_tokens=20, stream=True))
assert streamed == text, (streamed, text)

usage = [chunk.usage for chunk in chat("Once", max_tokens=3, stream=True, stream_options={"include_usage": True})]
assert usage[-1].completion_tokens == 3 and not any(usage[:-1]), usage

several = chat("Once", seed=1, n=3, max_completion_tokens=5, temperature=1, logprobs=True, top_logprobs=2)
assert len(several.choices) == 3 and len(several.choices[0].logprobs.content[0].top_logprobs) == 2
predicted = chat("Once upon a time", seed=6, max_tokens=20, prediction={"type": "content", "content": text})
assert predicted.choices[0].message.content == text

schema = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 5}, "age": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
named = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
person = json.loads(chat("Who?", seed=3, max_tokens=80, response_format=named).choices[0].message.content)
assert set(person) == {"name", "age"}, person

completion = client.completions.create(model=MODEL, prompt=["Once", "My dear"], max_tokens=4, seed=2, logprobs=1)
assert [choice.index for choice in completion.choices] == [0, 1]

with chat("Once", max_tokens=400, stream=True) as cancelled:
    next(iter(cancelled))

for ask, error in (
    (lambda: chat("Once", extra_body={"foo": 1}), openai.BadRequestError),
    (lambda: chat("Once", model="gpt-4o"), openai.NotFoundError),
    (lambda: client.embeddings.create(model=MODEL, input="a"), openai.BadRequestError),
    (lambda: chat("the " * 9000, stream=True), openai.BadRequestError),
):
    try:
        ask()
    except error as caught:
        assert caught.code, caught
    else:
        raise AssertionError(error)
print("ok")
