/// How often somebody may try to log in or to register. The defaults are what servers run with; only tests choose others.
package struct LoginLimits: Sendable {
    /// So many attempts within so long a time, whichever time of that length is looked at.
    package struct Window: Sendable {
        /// From 1.
        package var attempts: Int
        package var length: Duration

        package init(attempts: Int, length: Duration) {
            self.attempts = attempts
            self.length = length
        }
    }

    /// Failures of one account from one network that cost no waiting: people mistype, and try the passwords they once had.
    package var freeFailures = 5
    /// What the next failure costs; each one after it twice as much.
    package var shortestDelay = Duration.seconds(1)
    /// Where doubling ends: four guesses an hour find no password, and the person who has forgotten theirs can still try.
    package var longestDelay = Duration.seconds(15 * 60)
    /// Without an attempt for so long the failures of an account from a network are forgotten: long enough that whoever waits for
    /// it makes fewer guesses than whoever goes on at the longest delay.
    package var memory = Duration.seconds(24 * 3600)

    /// Failures of one account from all networks without a good history: what many networks together may guess. Those with a good
    /// history take no part, so that nobody can use this up for the owner.
    package var strangers = Window(attempts: 100, length: .seconds(3600))
    /// Failures of one address with all accounts: what trying a common password on every account comes to.
    package var address = Window(attempts: 30, length: .seconds(5 * 60))
    /// Registrations of one address, whatever comes of them: each costs a hash, and may cost a row for good.
    package var registrations = Window(attempts: 30, length: .seconds(5 * 60))
    /// Mails that one address has others sent, and mails that one e-mail address is sent: enough for who lost the first ones, too few to
    /// be a nuisance.
    package var mailsOfClient = Window(attempts: 30, length: .seconds(5 * 60))
    package var mailsToAccount = Window(attempts: 5, length: .seconds(3600))

    /// The networks of the latest log-ins that an account is known by: home, work and a phone's, with room for travels.
    package var knownNetworks = 20
    /// Since its last log-in a network is known for so long.
    package var knownFor = Duration.seconds(365 * 24 * 3600)

    package init() {}

    /// How long after a failure the next attempt has to wait, by the number of failures so far, from 1; the last one holds for all
    /// that follow. In microseconds.
    var delays: [Int64] {
        var delays = [Int64](repeating: 0, count: max(0, freeFailures - 1))
        let longest = longestDelay.wholeMicroseconds
        var next = shortestDelay.wholeMicroseconds
        while next < longest {
            delays.append(next)
            // No delay to double is a delay that never grows.
            next = max(1, next) * 2
        }
        return delays + [longest]
    }
}

extension Duration {
    /// Fractions are cut off. For durations of less than 290,000 years.
    var wholeMicroseconds: Int64 { components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000 }
}
