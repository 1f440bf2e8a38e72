/// A variable of an object that lives on one loop, kept behind a pointer: what is reached through one is not checked for
/// overlapping accesses, and the loop touches these several times for every event. The check is worth some fifty
/// instructions each time; nothing here is held across a call that could come back.
struct LoopCell<Value>: ~Copyable {
    private let pointer: UnsafeMutablePointer<Value>

    init(_ value: Value) {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: value)
    }

    deinit {
        pointer.deinitialize(count: 1)
        pointer.deallocate()
    }

    var value: Value {
        @inline(__always) get { pointer.pointee }
        @inline(__always) nonmutating _modify { yield &pointer.pointee }
    }
}
