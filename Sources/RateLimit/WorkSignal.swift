/// Lets one task of a loop sleep until there is work for it. Belongs to its loop.
struct WorkSignal {
    private var waiter: UnsafeContinuation<Void, Never>?
    private var isGiven = false

    /// Keeps who waits; there is one at most. Where work was given since the last wait they go on at once: between their look for
    /// work and this, the loop may have run something else.
    mutating func keep(_ continuation: UnsafeContinuation<Void, Never>) {
        if isGiven {
            isGiven = false
            continuation.resume()
        } else {
            waiter = continuation
        }
    }

    /// Wakes who waits, or who comes to wait next.
    mutating func give() {
        isGiven = waiter == nil
        let waiter = waiter
        self.waiter = nil
        waiter?.resume()
    }
}
