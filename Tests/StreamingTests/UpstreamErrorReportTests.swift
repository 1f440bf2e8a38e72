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
        #"{"code":400,"message":"the request exceeds the available context size. try increasing the context size or enable "#
            + #"context shift","type":"invalid_request_error"}"#,
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
            (400, #"{"error":{"code":400,"message":"model 'x' not found","type":"invalid_request_error"}}"#),
            (404, #"{"error":{"message":"model \"x\" not found, try pulling it first","type":"not_found_error","code":null}}"#),
            (
                404,
                #"{"error":{"message":"litellm.NotFoundError: OpenAIException - no such model","type":null,"param":null,"code":"404"}}"#
            ),
        ])
    func model(status: Int, body: String) {
        #expect(Self.refusal(status, body).code == .modelNotFound)
    }

    @Test(
        "that merely begins as one about a model is not taken for it",
        arguments: [
            "the model 'x' was not found wanting", "model 'x' does not take images", "litellm.NotFoundErrors: x",
            "litellm.NotFoundError", "said litellm.NotFoundError: x",
        ])
    func notAboutModel(message: String) {
        #expect(Self.refusal(400, #"{"error":{"message":"\#(message)","type":"invalid_request_error"}}"#).code == .invalidRequest)
    }

    @Test(
        "about our key, or about a part that the upstream misses, is the upstream's failure, and another one may do better",
        arguments: [
            #"{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}"#,
            #"{"error":{"message":"litellm.AuthenticationError: XaiException - no","type":null,"param":null,"code":"400"}}"#,
            #"{"error":{"message":"no","type":"invalid_request_error","param":"model","code":"invalid_api_key"}}"#,
            #"{"error":{"type":"auth_error"}}"#,
        ])
    func upstreamsOwn(body: String) {
        for error in [Self.refusal(400, body), Self.inStream(body)] {
            #expect(error.code == .upstreamError)
            #expect(error.errors.isEmpty)
        }
        let fault = UpstreamFault.refused(status: 400, UpstreamErrorReport(body: Array(body.utf8).span), retryAfter: nil)
        #expect(fault.remedy == .elsewhere)
    }

    @Test(
        "about parameters by LiteLLM names the first that is ours, by our name",
        arguments: [
            ("['max_completion_tokens']", "max_tokens"), ("['stream_options', 'seed', 'stop']", "seed"),
            ("['tools']", nil), ("tools", nil), ("['", nil), ("[seed", "seed"),
        ])
    func liteLLMParameters(list: String, name: String?) {
        let message = "litellm.UnsupportedParamsError: openai does not support parameters: \(list), for model=m. To drop these, …"
        let error = Self.refusal(400, #"{"error":{"message":"\#(message)","type":null,"param":null,"code":"400"}}"#)
        #expect(error.param == name)
        #expect(error.code == (name == nil ? .invalidRequest : .unsupportedParameter))
        #expect(error.cause?.hasSuffix(" 400 UnsupportedParamsError") == true)
    }

    @Test(
        "by LiteLLM is told in the log by its class, and by nothing else that stands there",
        arguments: [
            ("litellm.RateLimitError: sk-secret", "RateLimitError"), ("litellm.sk-secret: x", ""), ("litellm.: x", ""),
            ("litellm.Secret", ""), ("litellm.\(String(repeating: "S", count: 65)): x", ""),
        ])
    func liteLLMClass(message: String, label: String) {
        let body = #"{"error":{"message":"\#(message)","type":null,"param":null}}"#
        #expect(UpstreamErrorReport(body: Array(body.utf8).span).label == label)
    }

    @Test(
        "is told in the log by words, and not by a key that stands in their place",
        arguments: [
            ("insufficient_quota", "insufficient_quota"), ("BadRequestError", "BadRequestError"), ("1113", "1113"),
            ("sk-Qw7PLantedKey93xKz41Vb", ""), ("9f86d081884c7d659a2feaa0c55ad015", ""), ("8842099317", ""),
        ])
    func keyAsCode(code: String, label: String) {
        for body in [#"{"error":{"message":"m","code":"\#(code)"}}"#, #"{"object":"error","message":"m","type":"\#(code)"}"#] {
            #expect(UpstreamErrorReport(body: Array(body.utf8).span).label == label)
        }
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
