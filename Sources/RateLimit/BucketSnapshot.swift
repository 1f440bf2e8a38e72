/// What a user may still spend, as the `x-ratelimit-*` fields of an answer say it.
package struct BucketSnapshot: Sendable, Equatable {
    /// One of the two buckets.
    package struct Level: Sendable, Equatable {
        /// So many a minute.
        package let limit: Int
        /// That may be spent at once.
        package let remaining: Int
        /// Until all of the limit is there again.
        package let reset: Duration

        init(_ bucket: TokenBucket) {
            limit = Int(bucket.perMinute)
            remaining = bucket.remaining
            reset = bucket.timeUntilFull
        }
    }

    /// Nil where the plan has no such limit.
    package let requests: Level?
    /// Nil where the plan has no such limit.
    package let tokens: Level?

    /// What the two buckets hold now.
    package init(requests: TokenBucket?, tokens: TokenBucket?) {
        self.requests = requests.map { Level($0) }
        self.tokens = tokens.map { Level($0) }
    }
}
