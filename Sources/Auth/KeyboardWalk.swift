/// Strings that fingers make: runs along the rows, columns and number block of a keyboard, the alphabet, one key held down.
enum KeyboardWalk {
    /// What is walked along, in either direction.
    private static let tracks: [[UInt8]] = [
        "1234567890", "0123456789", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm",
        "wxcvbn",
        "abcdefghijklmnopqrstuvwxyz", "!@#$%^&*()",
        // Columns, then the number block's columns, rows and diagonals.
        "1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik", "9ol", "0p",
        "147", "258", "369", "789", "456", "159", "357", "852", "0258", "3698",
    ].map { Array($0.utf8) }

    /// Whether runs of three keys or more make up the string, up to two characters, or two interleaved runs do (`1q2w3e4r`),
    /// or a run with each key pressed twice (`11223344`).
    static func covers(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 4 else { return false }
        if isMadeOfRuns(bytes) { return true }
        let even = stride(from: 0, to: bytes.count, by: 2).map { bytes[$0] }
        let odd = stride(from: 1, to: bytes.count, by: 2).map { bytes[$0] }
        if even == odd { return isMadeOfRuns(even) }
        return isRun(even[...]) && isRun(odd[...])
    }

    private static func isMadeOfRuns(_ bytes: [UInt8]) -> Bool {
        // leftOver[i]: the fewest characters outside runs among the first i.
        var leftOver = Array(0...bytes.count)
        for end in 1...bytes.count {
            leftOver[end] = min(leftOver[end], leftOver[end - 1] + 1)
            for start in stride(from: end - 3, through: 0, by: -1) {
                guard isRun(bytes[start..<end]) else { break }
                leftOver[end] = min(leftOver[end], leftOver[start])
            }
        }
        return leftOver[bytes.count] <= (bytes.count >= 8 ? 2 : 0)
    }

    /// One key held down, or neighbours along one track in one direction; three keys at least.
    private static func isRun(_ keys: ArraySlice<UInt8>) -> Bool {
        guard keys.count >= 3, let first = keys.first else { return false }
        if keys.allSatisfy({ $0 == first }) { return true }
        let reversed = Array(keys.reversed())
        return tracks.contains { track in contains(track, keys) || contains(track, reversed[...]) }
    }

    private static func contains(_ track: [UInt8], _ keys: ArraySlice<UInt8>) -> Bool {
        guard keys.count <= track.count, let first = keys.first, let start = track.firstIndex(of: first) else { return false }
        return track[start...].starts(with: keys)
    }
}
