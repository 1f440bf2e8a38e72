/// A value of one loop in the hands of tasks of that loop: it crosses as a Sendable, opens only where it was made, and is
/// let go there as well.
// @unchecked: the value is reached only under the isolation of one and the same loop, which is checked.
package final class LoopBound<Value>: @unchecked Sendable {
    private final class Box {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    /// One reference counted by hand: a copy left on another thread could be the last one, and release the value there.
    private let box: Unmanaged<Box>
    private let owner: EventLoop

    package init(_ value: Value, on loop: isolated EventLoop) {
        box = .passRetained(Box(value))
        owner = loop
    }

    /// Whoever drops the last reference may be on any thread; the value is released by its loop's.
    deinit {
        if owner.executor.isIsolatingCurrentContext() == true { return box.release() }
        // Sent back to the only place where it may be touched, and nobody else can name it any more.
        nonisolated(unsafe) let box = box
        owner.spawn { _ in box.release() }
    }

    /// Traps when asked on another loop than the one it was made on.
    package func value(on loop: isolated EventLoop) -> Value {
        precondition(loop === owner, "a value of another loop")
        return box._withUnsafeGuaranteedRef { $0.value }
    }
}
