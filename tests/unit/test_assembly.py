"""Chunks of a stream, put together to what a whole body would have brought."""

from __future__ import annotations

import copy

import pytest

from openrouter_resilient.routing.faults import Broken, Kind
from openrouter_resilient.wire.assembly import Assembly


def chunk(delta=None, *, index=0, finish=None, **top):
    """A chunk with one choice."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return {"id": "gen-1", "object": "chat.completion.chunk", "choices": [choice], **top}


def assembled(*chunks):
    assembly = Assembly()
    for one in chunks:
        assembly.add(one)
    return assembly


def message_of(*chunks):
    return assembled(*chunks).body()["choices"][0]["message"]


class TestTheAnswer:
    def test_is_the_deltas_joined(self):
        body = assembled(
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "Rhine, "}),
            chunk({"content": "Aare"}, finish="stop"),
        ).body()

        assert {
            "id": "gen-1",
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "Rhine, Aare"},
                }
            ],
        } == body

    def test_that_only_called_tools_has_no_content(self):
        assert message_of(chunk({"tool_calls": [{"index": 0, "id": "c"}]}))["content"] is None

    def test_that_is_empty_is_an_empty_text(self):
        assert "" == message_of(chunk({"content": ""}, finish="stop"))["content"]

    @pytest.mark.parametrize("name", ["content", "reasoning", "reasoning_content", "refusal"])
    def test_joins_texts(self, name):
        assert "ab" == message_of(chunk({name: "a"}), chunk({name: "b"}))[name]

    @pytest.mark.parametrize("name", ["reasoning_details", "images", "annotations"])
    def test_extends_lists(self, name):
        assert [1, 2, 3] == message_of(chunk({name: [1]}), chunk({name: [2, 3]}))[name]

    @pytest.mark.parametrize("odd", [{}, "text", 7])
    def test_survives_a_list_that_was_something_else_before(self, odd):
        assert [1, 2] == message_of(
            chunk({"images": odd}), chunk({"images": [1]}), chunk({"images": [2]})
        )["images"]

    def test_keeps_unknown_fields_and_the_last_of_their_values(self):
        message = message_of(chunk({"mood": "good"}), chunk({"mood": "better"}))

        assert "better" == message["mood"]

    def test_leaves_null_out(self):
        message = message_of(chunk({"content": "a", "mood": "good"}), chunk({"mood": None}))

        assert "good" == message["mood"]

    def test_leaves_the_chunks_as_they_were(self):
        chunks = [
            chunk({"images": [1], "tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}),
            chunk({"images": [2], "tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}),
        ]
        chunks[0]["choices"][0]["logprobs"] = {"content": [1]}
        chunks[1]["choices"][0]["logprobs"] = {"content": [2]}
        before = copy.deepcopy(chunks)

        assembled(*chunks).body()

        assert before == chunks

    def test_collects_log_probabilities(self):
        first, second = chunk({"content": "a"}), chunk({"content": "b"})
        first["choices"][0]["logprobs"] = {"content": [1], "refusal": None}
        second["choices"][0]["logprobs"] = {"content": [2], "refusal": None}

        assert {"content": [1, 2], "refusal": None} == (
            assembled(first, second).body()["choices"][0]["logprobs"]
        )

    def test_keeps_its_choices_apart_and_in_their_order(self):
        body = assembled(
            chunk({"content": "b"}, index=1),
            chunk({"content": "a"}),
            chunk({"content": "B"}, index=1),
        ).body()

        assert [(0, "a"), (1, "bB")] == [
            (choice["index"], choice["message"]["content"]) for choice in body["choices"]
        ]

    @pytest.mark.parametrize("index", [None, "0", 1.5])
    def test_takes_a_choice_without_a_number_for_the_first(self, index):
        assert "a" == message_of(chunk({"content": "a"}, index=index))["content"]


class TestTheFieldsBeside:
    def test_are_what_was_said_last(self):
        assembly = assembled(chunk(model="a"), chunk(model="b", usage={"total_tokens": 3}))

        assert ("b", {"total_tokens": 3}) == (assembly.top["model"], assembly.top["usage"])

    def test_are_not_unsaid_by_null(self):
        assert "a" == assembled(chunk(model="a"), chunk(model=None)).top["model"]


class TestToolCalls:
    def test_come_as_an_id_and_a_name_and_arguments_in_pieces(self):
        message = message_of(
            chunk({"tool_calls": [
                {"index": 0, "id": "c1", "type": "function", "function": {"name": "f"}}
            ]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
            chunk({"tool_calls": [{"index": 0, "id": "", "function": {"arguments": ": 1}"}}]}),
        )  # fmt: skip

        assert [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
        ] == message["tool_calls"]

    def test_are_told_apart_by_their_index(self):
        message = message_of(
            chunk({"tool_calls": [{"index": 1, "id": "b"}]}),
            chunk({"tool_calls": [{"index": 0, "id": "a"}]}),
        )

        assert ["a", "b"] == [call["id"] for call in message["tool_calls"]]

    def test_are_told_apart_by_their_place_without_one(self):
        message = message_of(chunk({"tool_calls": [{"id": "a"}, {"id": "b"}]}))

        assert ["a", "b"] == [call["id"] for call in message["tool_calls"]]

    @pytest.mark.parametrize("numbered", [{"index": 0}, {}], ids=["all 0", "no number"])
    def test_are_told_apart_by_their_ids_where_their_number_does_not(self, numbered):
        message = message_of(
            chunk({"tool_calls": [
                {**numbered, "id": "a", "function": {"name": "now", "arguments": ""}}
            ]}),
            chunk({"tool_calls": [{**numbered, "id": "b", "function": {"name": "add"}}]}),
            chunk({"tool_calls": [{**numbered, "function": {"arguments": "{"}}]}),
            chunk({"tool_calls": [{**numbered, "id": "b", "function": {"arguments": "}"}}]}),
        )  # fmt: skip

        assert [("a", {"name": "now", "arguments": ""}), ("b", {"name": "add", "arguments": "{}"})
        ] == [(call["id"], call["function"]) for call in message["tool_calls"]]  # fmt: skip

    def test_without_a_number_go_on_where_the_last_one_stopped(self):
        message = message_of(
            chunk({"tool_calls": [{"id": "a"}, {"id": "b", "function": {"arguments": "{"}}]}),
            chunk({"tool_calls": [{"function": {"arguments": "}"}}]}),
        )

        assert [{}, {"arguments": "{}"}] == [call["function"] for call in message["tool_calls"]]

    def test_that_share_an_id_are_told_apart_by_their_number(self):
        message = message_of(
            chunk({"tool_calls": [{"index": 0, "id": "a"}, {"index": 1, "id": "a"}]}),
            chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{}"}}]}),
        )

        assert [{"arguments": "{}"}, {}] == [call["function"] for call in message["tool_calls"]]

    def test_may_get_their_id_late(self):
        message = message_of(
            chunk({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}),
            chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{}"}}]}),
        )

        assert [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}] == (
            message["tool_calls"]
        )


class TestADelta:
    @pytest.mark.parametrize(
        ("delta", "text"),
        [
            ({"content": "a"}, "a"),
            ({"reasoning": "hm"}, ""),
            ({"reasoning_content": "hm"}, ""),
            ({"refusal": "no"}, ""),
            ({"tool_calls": [{"index": 0}]}, ""),
            ({"reasoning_details": [{}]}, ""),
            ({"images": [{}]}, ""),
            ({"audio": {"data": "…"}}, ""),
            ({"function_call": {"name": "f"}}, ""),
        ],
    )
    def test_is_what_a_reader_would_see(self, delta, text):
        seen = Assembly().add(chunk(delta))

        assert (text, delta) == (seen.text, seen.fields)

    @pytest.mark.parametrize(
        "delta",
        [None, {}, {"role": "assistant"}, {"role": "assistant", "content": ""}, {"content": None},
         {"content": "", "reasoning": "", "tool_calls": []}, "text"],
    )  # fmt: skip
    def test_is_not_a_chunk_that_shows_nothing(self, delta):
        assert Assembly().add(chunk(delta)) is None

    @pytest.mark.parametrize("choices", [None, [], {}])
    def test_is_not_a_chunk_without_a_choice(self, choices):
        assert Assembly().add({"choices": choices, "usage": {}}) is None

    def test_brings_text_of_the_first_choice_only(self):
        assembly = assembled(chunk({"content": "a"}))

        assert "" == assembly.add(chunk({"content": "b"}, index=1)).text

    def test_brings_the_first_choices_text_though_another_stands_before_it(self):
        both = chunk({"content": "b"}, index=1)
        both["choices"] += chunk({"content": "a"})["choices"]

        assert "a" == assembled(chunk({"role": "assistant"})).add(both).text

    def test_brings_the_text_of_an_only_choice_whatever_its_number(self):
        assert "a" == Assembly().add(chunk({"content": "a"}, index=1)).text


class TestTheEnd:
    def test_has_come_when_every_choice_said_why(self):
        assembly = assembled(
            chunk({"content": "a"}, finish="stop"), chunk({"content": "b"}, index=1)
        )
        assert not assembly.finished
        assembly.add(chunk(index=1, finish="length"))

        assert assembly.finished
        assert "stop" == assembly.finish_reason

    def test_has_not_come_before_anything_began(self):
        assembly = assembled({"choices": [], "model": "m"})

        assert (False, False, None) == (assembly.begun, assembly.finished, assembly.finish_reason)

    def test_of_an_only_choice_is_told_whatever_its_number(self):
        assert "stop" == assembled(chunk(index=1, finish="stop")).finish_reason

    @pytest.mark.parametrize(
        "choice",
        [
            {"index": 0, "delta": {}, "finish_reason": "error"},
            {"index": 0, "delta": {"content": "a"}, "error": {"code": 502}},
        ],
    )
    def test_is_a_failure_where_a_choice_says_so(self, choice):
        assert choice == assembled({"choices": [choice]}).failed

    def test_is_none_where_no_choice_says_so(self):
        assert assembled(chunk({"content": "a"}, finish="stop")).failed is None


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": "text"},
        {"choices": {"a": 1}},
        {"choices": [7]},
        {"choices": [{"delta": {"tool_calls": ["call"]}}]},
    ],
)
def test_a_chunk_that_is_not_of_this_api_is_unreadable(odd):
    with pytest.raises(Broken) as broken:
        Assembly().add(odd)

    assert Kind.UNREADABLE is broken.value.fault.kind


class TestACharacterWhoseHalvesComeInTwoChunks:
    """JSON escapes one beyond 16 bits as two, and some servers cut between them."""

    FIRST, SECOND = "\ud83d", "\ude00"

    def pieces(self, *texts, finish="length"):
        assembly = Assembly()
        chunks = [*(chunk({"content": text}) for text in texts), chunk(finish=finish)]
        deltas = [delta.text for delta in map(assembly.add, chunks) if delta]
        return deltas, assembly.body()["choices"][0]["message"]["content"]

    def test_is_handed_over_whole(self):
        assert (["Hi ", "😀!"], "Hi 😀!") == self.pieces(f"Hi {self.FIRST}", f"{self.SECOND}!")

    def test_is_waited_for_where_a_chunk_brings_no_text(self):
        assert (["😀"], "😀") == self.pieces(self.FIRST, "", self.SECOND)

    def test_may_be_followed_by_another_one(self):
        assert (["😀", "😀"], "😀😀") == self.pieces(
            self.FIRST, self.SECOND + self.FIRST, self.SECOND
        )

    @pytest.mark.parametrize("texts", [(FIRST,), (FIRST, "x"), (SECOND, "x"), (FIRST, FIRST)])
    def test_whose_other_half_never_comes_is_handed_over_as_it_came(self, texts):
        pieces, text = self.pieces(*texts)

        assert "".join(texts) == "".join(pieces) == text

    @pytest.mark.parametrize("name", ["reasoning", "refusal"])
    def test_is_whole_in_other_texts(self, name):
        assert "😀" == message_of(chunk({name: self.FIRST}), chunk({name: self.SECOND}))[name]

    def test_is_whole_in_the_arguments_of_a_tool_call(self):
        first, second = (
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": half}}]})
            for half in (self.FIRST, self.SECOND)
        )

        (call,) = message_of(first, second)["tool_calls"]

        assert "😀" == call["function"]["arguments"]
