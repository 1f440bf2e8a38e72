import PlaygroundCore
import Testing

@testable import Streaming

@Suite("An error that an upstream tells of")
struct UpstreamErrorReportTests {
    private static func refusal(_ status: Int, _ body: String) -> ServiceError {
        UpstreamFault.refused(status: status, UpstreamErrorReport(body: Array(body.utf8).span), retryAfter: .seconds(3))
            .serviceError
    }

    private static func inStream(_ body: String) -> ServiceError {
        UpstreamFault.errorEvent(UpstreamErrorReport(body: Array(body.utf8).span)).serviceError
    }

    static let contextErrors = [
        // OpenAI
        #"{"error":{"message":"This model's maximum context length is 4097 tokens. However, you requested 5000.","type":"#
            + #""invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        #"{"error":{"message":"Input tokens exceed the configured limit.","type":"invalid_request_error","param":"messages","#
            + #""code":"context_length_exceeded"}}"#,
        // vLLM, older and newer
        #"{"object":"error","message":"This model's maximum context length is 2048 tokens. However, you requested 2100 tokens","#
            + #""type":"BadRequestError","param":null,"code":400}"#,
        #"{"error":{"message":"'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is "#
            + #"2048 tokens and your request has 9 input tokens","type":"BadRequestError","param":"max_tokens","code":400}}"#,
        #"{"error":{"message":"The decoder prompt (length 5000) is longer than the maximum model length of 2048.","#
            + #""type":"BadRequestError","param":null,"code":400}}"#,
        // llama.cpp
        #"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"#
            + #""exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":4096}}"#,
        // LiteLLM
        #"{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - too long","#
            + #""type":null,"param":null,"code":"400"}}"#,
    ]

    @Test("about the context is told as such, as a status and inside a stream", arguments: contextErrors)
    func context(body: String) {
        #expect(Self.refusal(400, body).code == .contextLengthExceeded)
        #expect(Self.inStream(body).code == .contextLengthExceeded)
        #expect(!Self.refusal(400, body).retryable)
    }

    static let fieldErrors: [(body: String, param: String, code: ErrorCode)] = [
        (
            #"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model.","type":"#
                + #""invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#, "max_tokens",
            .unsupportedParameter
        ),
        (
            #"{"error":{"message":"Unsupported value: 'temperature' does not support 0.5 with this model.","type":"#
                + #""invalid_request_error","param":"temperature","code":"unsupported_value"}}"#, "temperature",
            .unsupportedParameter
        ),
        (#"{"error":{"param":"top_logprobs","code":"unsupported_parameter"}}"#, "logprobs", .unsupportedParameter),
        (#"{"error":{"param":"messages","code":"unsupported_value"}}"#, "prompt", .unsupportedParameter),
        (#"{"error":{"param":"messages[0].content","code":"string_above_max_length"}}"#, "prompt", .invalidRequest),
        (#"{"error":{"param":"messages.[0].content","code":"invalid_type"}}"#, "prompt", .invalidRequest),
        (#"{"error":{"param":"max_completion_tokens","code":"integer_above_max_value"}}"#, "max_tokens", .invalidRequest),
        (#"{"object":"error","param":"temperature","type":"BadRequestError","code":400}"#, "temperature", .invalidRequest),
        // Azure's and OpenAI's words for a prompt that must not be answered, and LiteLLM's.
        (
            #"{"error":{"message":"m","type":null,"param":"prompt","code":"content_filter","status":400}}"#, "prompt",
            .invalidRequest
        ),
        (#"{"error":{"message":"m","code":"content_policy_violation"}}"#, "prompt", .invalidRequest),
        (#"{"error":{"message":"litellm.ContentPolicyViolationError: AzureException","code":"400"}}"#, "prompt", .invalidRequest),
    ]

    @Test("about a parameter names our field for it", arguments: fieldErrors)
    func field(example: (body: String, param: String, code: ErrorCode)) {
        for error in [Self.refusal(400, example.body), Self.inStream(example.body)] {
            #expect(error.param == example.param)
            #expect(error.code == example.code)
            #expect(error.errors.count == 1)
            #expect(!error.retryable)
        }
    }

    @Test(
        "about something the client did not send blames no field",
        arguments: ["stream_options", "user", "tools", "", "Messages", "prompts", "secret"])
    func otherParameters(param: String) {
        let error = Self.refusal(400, #"{"error":{"param":"\#(param)","code":"unsupported_parameter"}}"#)
        #expect(error.code == .invalidRequest)
        #expect(error.errors.isEmpty)
    }

    @Test(
        "about a used-up quota is a 429 that waiting does not cure",
        arguments: [
            (
                429,
                #"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#
            ),
            (429, #"{"error":{"type":"insufficient_quota","param":null,"code":null}}"#),
            (429, #"{"error":{"code":"billing_not_active"}}"#), (400, #"{"error":{"type":"budget_exceeded","code":"400"}}"#),
            (403, #"{"error":{"code":"billing_hard_limit_reached"}}"#),
        ])
    func quota(status: Int, body: String) {
        for error in [Self.refusal(status, body), Self.inStream(body)] {
            #expect(error.code == .upstreamRateLimited)
            #expect(!error.retryable)
            #expect(error.retryAfter == nil)
        }
    }

    @Test("about too many requests is a 429 that waiting cures")
    func rateLimit() {
        let error = Self.refusal(429, #"{"error":{"type":"requests","code":"rate_limit_exceeded"}}"#)
        #expect(error.code == .upstreamRateLimited)
        #expect(error.retryable)
        #expect(error.retryAfter == .seconds(3))
        #expect(Self.inStream(#"{"error":{"code":"rate_limit_exceeded"}}"#).code == .upstreamRateLimited)
        #expect(Self.inStream(#"{"error":{"message":"slow down","code":"429"}}"#).code == .upstreamRateLimited)
    }

    @Test(
        "about a model is told as such",
        arguments: [
            (
                404,
                #"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","code":"model_not_found"}}"#
            ),
            (
                404,
                #"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}"#
            ),
            (
                400,
                #"{"error":{"message":"Invalid model name passed in model=x","type":"invalid_request_error","param":"model","code":"400"}}"#
            ),
        ])
    func model(status: Int, body: String) {
        #expect(Self.refusal(status, body).code == .modelNotFound)
    }

    @Test(
        "inside a stream without a known word is the upstream's failure",
        arguments: ["{}", #"{"error":{"code":500}}"#, "what", "[]"])
    func unknown(body: String) {
        #expect(Self.inStream(body).code == .upstreamError)
    }

    @Test("never shows or logs anything the upstream wrote but its short words")
    func secrecy() {
        let secret = "sk-secret and the prompt"
        for status in [400, 401, 403, 404, 429, 500] {
            for member in ["message", "type", "param", "code"] {
                let error = Self.refusal(status, #"{"error":{"message":"m","\#(member)":"\#(secret)"},"trace":"\#(secret)"}"#)
                #expect(!"\(error)".contains("secret"))
            }
        }
    }
}
