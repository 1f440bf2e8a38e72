/// Lets one task of a loop sleep until there is work for it. Belongs to its loop.
struct WorkSignal {
    private var waiter: UnsafeContinuation<Void, Never>?

    /// Keeps who waits; there is one at most.
    mutating func keep(_ continuation: UnsafeContinuation<Void, Never>) { waiter = continuation }

    /// Wakes who waits, if anybody does.
    mutating func give() {
        let waiter = waiter
        self.waiter = nil
        waiter?.resume()
    }
}
