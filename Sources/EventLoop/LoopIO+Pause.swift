extension LoopIO {
    /// Suspends the caller, who runs on this loop, for `duration`.
    package func pause(_ duration: Duration) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            schedule(LoopTimer { continuation.resume() }, after: duration)
        }
    }
}
