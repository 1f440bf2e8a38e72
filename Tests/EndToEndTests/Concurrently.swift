import Dispatch
import Foundation
import Synchronization

/// Runs `body` on so many threads at one time and waits for all; throws the first error of any.
func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let group = DispatchGroup()
    let failure = Mutex<(any Error)?>(nil)
    for index in 0..<count {
        group.enter()
        Thread.detachNewThread {
            do {
                try body(index)
            } catch {
                failure.withLock { $0 = $0 ?? error }
            }
            group.leave()
        }
    }
    group.wait()
    if let error = failure.withLock({ $0 }) { throw error }
}
