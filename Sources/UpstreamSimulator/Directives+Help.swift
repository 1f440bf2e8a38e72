extension Directives {
    /// What `--help` says about directives.
    static let help = """
        A prompt that begins with words in double brackets says how its completion behaves:

          [[tokens=200 interval=20 stamp=1]] the rest of the prompt

        Those of a header field X-Directives count instead, so that one upstream of several misbehaves alone.

        What is said (tokens are then "k0 ", "k1 " … instead of a story):
          tokens=N            how many, whatever max_tokens says (absent: max_tokens)
          size=BYTES          smallest size of a token's text       huge=BYTES   size of the second token's text
          stamp=1, ts=1       each token ends with its sending time, Unix nanoseconds: "k3 1763800000000000000 "
          esc=1               each token ends with characters that JSON escapes, and with non-ASCII ones
          finish=REASON       length, stop, content_filter …; none: no finish_reason at all
          finish_alone=1      finish_reason in a chunk of its own, with an empty text
          reasoning=N         a chat model thinks aloud in N events first
          refusal=1           a chat model says it as a refusal
          done=0              no [DONE]                             usage=0      no usage, though asked for
          prompt_tokens=N, completion_tokens=N   what usage claims
          cached_tokens=N, reasoning_tokens=N    what the details of a stream's usage claim
        When, in milliseconds:
          head=MS             before the head of the answer         first=MS     between the head and the first token
          interval=MS         between tokens (or batches)           batch=N      events in one write
        In which bytes:
          split=1             each event in two writes              crlf=1       CRLF ends lines
          comment=1           a comment before each event           filler=BYTES a field of that size in the head
          framing=chunked|length|close                              sndbuf=BYTES the socket's send buffer
          trickle=BYTES       so many bytes a write, trickle_interval=MS apart (0)
          slow=BYTES          bytes a second, head and all
        What goes wrong:
          status=N            an error answer, with retry_after=VALUE, code=WORD, type=WORD
          empty=1             200 and no body                       garbage=1    no HTTP at all
          malformed=1         the second event is not JSON
          error_after=N       an error event after N tokens, then the end (error_shape=openai|vllm)
          drop_after=N        RST after N tokens                    drop_head=1  RST instead of an answer
          fin_after=N         FIN after N tokens, mid-body          fin_head=1   FIN instead of an answer
          stall_after=N       silence after N tokens                stall_head=1 silence instead of an answer
          id=WORD             names the request in /_requests
          fails=N             with an id: only its first N requests go wrong, later ones are well
        """
}
