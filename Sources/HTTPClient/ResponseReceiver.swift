/// Who gets an answer. Every call is made on the loop, synchronously; the exchange may be paused, resumed or cancelled
/// inside any of them.
///
/// The order is `headReceived`, then `bodyReceived` any number of times, then one of `completed` and `failed`.
package protocol ResponseReceiver: AnyObject {
    /// The final head; interim ones (1xx) are skipped.
    func headReceived(_ head: ClientResponse)
    /// The next bytes of the body, its framing taken off. They lie in the loop's read buffer and are valid during the call
    /// only. What was read before a pause (at most 64 KiB) is still delivered after it.
    func bodyReceived(_ bytes: UnsafeBufferPointer<UInt8>)
    /// Everything that was there to read has been delivered and the answer goes on: time to flush. At most once per
    /// wake-up, and not where `completed` or `failed` follows at once.
    func readEnded()
    /// The answer ended as its framing says. The last call.
    func completed()
    /// The exchange failed; what was delivered before stays delivered. The last call.
    func failed(_ error: ClientError)
}
