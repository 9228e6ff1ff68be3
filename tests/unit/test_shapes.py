"""What goes in is checked once; what comes out keeps all that it holds and shows none of it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from openrouter_resilient.shapes import Completion, Delta, Request, make_request

USER = {"role": "user", "content": "hi"}


def completion(message, **fields):
    return Completion.model_validate({"choices": [{"message": message}], **fields})


class TestARequest:
    @pytest.mark.parametrize(
        ("prompt", "system", "messages"),
        [
            ("hi", None, [USER]),
            ([USER], None, [USER]),
            ((USER,), None, [USER]),
            ("hi", "be brief", [{"role": "system", "content": "be brief"}, USER]),
            (
                [{"role": "assistant", "content": None, "tool_calls": []}],
                None,
                [{"role": "assistant", "content": None, "tool_calls": []}],
            ),
            ([{"role": "assistant"}], None, [{"role": "assistant"}]),
            (
                [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
                None,
                [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
            ),
        ],
    )
    def test_is_a_list_of_messages(self, prompt, system, messages):
        assert messages == make_request(prompt, system, {}).messages

    def test_may_come_from_a_generator_and_from_models(self):
        class Said(BaseModel):
            role: str
            content: str
            name: str | None = None

        said = (Said(role="user", content=text) for text in ("a", "b"))

        assert [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}] == (
            make_request(said, None, {}).messages
        )

    @pytest.mark.parametrize(
        "role", ["system", "developer", "user", "assistant", "tool", "function"]
    )
    def test_may_have_messages_of(self, role):
        assert role == make_request([{"role": role, "content": ""}], None, {}).messages[0]["role"]

    def test_leaves_out_what_was_not_given(self):
        assert {"seed": 0, "stop": []} == (
            make_request("hi", None, {"seed": 0, "user": None, "stop": []}).parameters
        )

    def test_leaves_the_callers_list_alone(self):
        prompt = [USER]
        make_request(prompt, "be brief", {})

        assert [USER] == prompt

    @pytest.mark.parametrize(
        ("prompt", "system", "error", "message"),
        [
            ("", None, ValueError, "the prompt is empty"),
            (" \n", None, ValueError, "the prompt is empty"),
            ([], None, ValueError, "the prompt is empty"),
            (None, None, TypeError, "not NoneType"),
            (7, None, TypeError, "not int"),
            (b"hi", None, TypeError, "not bytes"),
            (USER, None, TypeError, "not dict"),
            (["hi"], None, TypeError, "message 0 must be a dict"),
            ([USER, {"role": "robot", "content": "x"}], None, ValueError, "message 1 needs a role"),
            ([{"content": "x"}], None, ValueError, "message 0 needs a role"),
            ([{"role": "user"}], None, TypeError, "needs a content"),
            ([{"role": "user", "content": 7}], None, TypeError, "needs a content"),
            ([{"role": "user", "content": ["x"]}], None, TypeError, 'needs a "type"'),
            ([{"role": "user", "content": [{}]}], None, TypeError, 'needs a "type"'),
            ("hi", 7, TypeError, "system must be a text, not int"),
        ],
    )
    def test_that_is_malformed_is_refused(self, prompt, system, error, message):
        with pytest.raises(error, match=message):
            make_request(prompt, system, {})

    @pytest.mark.parametrize(
        ("content", "characters"),
        [
            ("hello", 5),
            ([{"type": "text", "text": "hello"}, {"type": "text", "text": "you"}], 8),
            ([{"type": "image_url", "image_url": {"url": "x" * 999}}], 0),
            ([], 0),
        ],
    )
    def test_knows_its_length_in_characters_of_text(self, content, characters):
        request = make_request([{"role": "user", "content": content}], "1234", {})

        assert 4 + characters == request.characters

    @pytest.mark.parametrize(
        ("parameters", "reasons"),
        [
            ({}, False),
            ({"reasoning": {}}, True),
            ({"reasoning": {"effort": "low"}}, True),
            ({"reasoning": {"effort": "none"}}, False),
            ({"reasoning": {"enabled": False}}, False),
            ({"reasoning_effort": "minimal"}, True),
            ({"reasoning_effort": "none"}, False),
            ({"include_reasoning": True}, True),
            ({"include_reasoning": False}, False),
        ],
    )
    def test_knows_whether_it_asks_for_reasoning(self, parameters, reasons):
        assert reasons == Request([USER], parameters).reasons

    def test_does_not_show_what_it_holds(self):
        assert "hi" not in repr(make_request("hi", None, {"user": "hi"}))


class TestACompletion:
    @pytest.mark.parametrize(
        ("message", "text"),
        [
            ({"content": "Rhine"}, "Rhine"),
            ({"content": None}, ""),
            ({}, ""),
            (
                {"content": [{"type": "text", "text": "a"}, {"type": "image"}, 7, {"text": "b"}]},
                "ab",
            ),
            ({"content": [{"text": None}]}, ""),
        ],
    )
    def test_is_its_text(self, message, text):
        assert text == completion(message).text == str(completion(message))

    def test_without_choices_has_an_empty_text_and_no_tool_calls(self):
        empty = Completion.model_validate({"choices": []})

        assert ("", []) == (empty.text, empty.tool_calls)

    def test_has_tool_calls(self):
        call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}

        (made,) = completion({"tool_calls": [call]}).tool_calls

        assert ("c", "f", "{}") == (made.id, made.function.name, made.function.arguments)

    def test_keeps_fields_and_values_that_nobody_foresaw(self):
        read = completion({"content": "a", "mood": "good"}, provider="P", object="new.kind")

        assert ("good", "P", "new.kind") == (
            read.choices[0].message.mood,
            read.provider,
            read.object,
        )

    def test_is_read_like_a_dict_as_well(self):
        read = completion({"content": "a"}, provider="P")

        assert "a" == read["choices"][0]["message"]["content"]
        assert "P" == read["provider"]
        with pytest.raises(KeyError):
            read["nothing"]

    def test_shows_how_long_it_is_and_not_what_it_says(self):
        read = completion({"content": "a secret"}, id="gen-1")

        assert "<Completion gen-1: 8 characters>" == repr(read)
        assert "secret" not in f"{read.choices!r} {read.choices[0].message} {read.choices[0]!r}"

    def test_that_no_client_returned_was_served_by_nobody(self):
        with pytest.raises(AttributeError, match="only a completion that a Client returned"):
            _ = completion({"content": "a"}).served

    def test_hides_its_content_in_a_validation_error_too(self):
        with pytest.raises(ValueError) as raised:
            completion({"content": {"a": "secret"}})

        assert "secret" not in str(raised.value)


class TestADelta:
    @pytest.mark.parametrize(
        ("fields", "reasoning"),
        [
            ({"reasoning": "hm"}, "hm"),
            ({"reasoning_content": "hm"}, "hm"),
            ({"reasoning": "", "reasoning_content": "hm"}, "hm"),
            ({"reasoning": 7}, ""),
            ({}, ""),
        ],
    )
    def test_has_its_reasoning(self, fields, reasoning):
        assert reasoning == Delta("", fields, {}).reasoning

    @pytest.mark.parametrize(
        ("fields", "calls"),
        [({"tool_calls": [{"index": 0}]}, [{"index": 0}]), ({}, []), ({"tool_calls": 7}, [])],
    )
    def test_has_its_pieces_of_tool_calls(self, fields, calls):
        assert calls == Delta("", fields, {}).tool_calls

    def test_does_not_show_its_text(self):
        assert "<Delta of 6 characters>" == repr(Delta("secret", {}, {}))
