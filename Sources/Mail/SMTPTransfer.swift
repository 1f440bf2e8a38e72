import CLibcurl
import PlaygroundCore

/// One mail on its way: a libcurl handle, made for it and freed with it. Blocks the thread it is used on.
final class SMTPTransfer {
    private let easy: UnsafeMutableRawPointer
    private var recipients: UnsafeMutablePointer<curl_slist>?
    private let configuration: SMTPConfiguration

    /// What libcurl has still to read.
    private struct Upload {
        let bytes: [UInt8]
        var offset = 0
    }

    /// - Throws: where libcurl has no memory.
    init(_ configuration: SMTPConfiguration) throws(SMTPError) {
        guard let easy = clibcurl_easy_init() else { throw SMTPError(isPermanent: false, "libcurl has no memory") }
        self.easy = easy
        self.configuration = configuration
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(recipients)
    }

    func send(_ message: MailMessage) throws(SMTPError) {
        try setUp()
        try set(CURLOPT_MAIL_FROM, "<\(message.from.address)>")
        recipients = curl_slist_append(nil, "<\(message.to)>")
        try check(clibcurl_set_pointer(easy, CURLOPT_MAIL_RCPT, recipients))
        var upload = Upload(bytes: message.bytes)
        try set(CURLOPT_INFILESIZE, upload.bytes.count)
        let code = withUnsafeMutablePointer(to: &upload) { upload in
            clibcurl_set_read(easy, Self.read, upload)
            return curl_easy_perform(easy)
        }
        if code != CURLE_OK { throw failure(code) }
    }

    private func setUp() throws(SMTPError) {
        let (server, timeouts) = (configuration.server, (configuration.stepTimeout, configuration.timeout))
        try set(CURLOPT_URL, server.url)
        try set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        // Time-outs by signals are for programs with one thread.
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_CONNECTTIMEOUT, Int(timeouts.0.components.seconds))
        try set(CURLOPT_SERVER_RESPONSE_TIMEOUT, Int(timeouts.0.components.seconds))
        try set(CURLOPT_TIMEOUT, Int(timeouts.1.components.seconds))
        // A proxy in the environment is for whoever set it.
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_UPLOAD, 1)
        try set(CURLOPT_FORBID_REUSE, 1)
        let isRequired = configuration.privacy == .required
        try set(CURLOPT_USE_SSL, Int(isRequired ? CURLUSESSL_ALL.rawValue : CURLUSESSL_TRY.rawValue))
        try set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        let isVerified = isRequired || configuration.authorities != nil
        try set(CURLOPT_SSL_VERIFYPEER, isVerified ? 1 : 0)
        try set(CURLOPT_SSL_VERIFYHOST, isVerified ? 2 : 0)
        if let authorities = configuration.authorities { try set(CURLOPT_CAINFO, authorities) }
        if let username = configuration.username { try set(CURLOPT_USERNAME, username) }
        if let password = configuration.password {
            try check(
                password.withBytes { bytes in
                    // libcurl wants a C string, and keeps a copy that it frees with the handle.
                    (Array(bytes) + [0]).withUnsafeBytes { text in
                        clibcurl_set_string(easy, CURLOPT_PASSWORD, text.baseAddress?.assumingMemoryBound(to: CChar.self))
                    }
                })
        }
    }

    /// Called by libcurl for the next bytes; 0 at their end.
    private static let read: clibcurl_read_function = { buffer, size, count, context in
        guard let buffer, let upload = context?.assumingMemoryBound(to: Upload.self) else { return 0 }
        let length = min(size * count, upload.pointee.bytes.count - upload.pointee.offset)
        upload.pointee.bytes.withUnsafeBytes { bytes in
            UnsafeMutableRawPointer(buffer).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: bytes[upload.pointee.offset...].prefix(length)).baseAddress
                    ?? UnsafeRawPointer(buffer),
                byteCount: length)
        }
        upload.pointee.offset += length
        return length
    }

    /// A refusal with 5xx stays one, unless it is for want of the right user or of TLS: the operator can mend that.
    private func failure(_ code: CURLcode) -> SMTPError {
        var reply = 0
        clibcurl_get_long(easy, CURLINFO_RESPONSE_CODE, &reply)
        let isPermanent = code == CURLE_SEND_ERROR && (550...554).contains(reply)
        let text = String(cString: curl_easy_strerror(code))
        return SMTPError(isPermanent: isPermanent, reply > 0 ? "\(text) (the server's last answer was \(reply))" : text)
    }

    private func set(_ option: CURLoption, _ value: Int) throws(SMTPError) { try check(clibcurl_set_long(easy, option, value)) }

    private func set(_ option: CURLoption, _ value: String) throws(SMTPError) {
        try check(clibcurl_set_string(easy, option, value))
    }

    private func check(_ code: CURLcode) throws(SMTPError) {
        if code != CURLE_OK {
            throw SMTPError(isPermanent: false, "libcurl refuses its settings: \(String(cString: curl_easy_strerror(code)))")
        }
    }
}
