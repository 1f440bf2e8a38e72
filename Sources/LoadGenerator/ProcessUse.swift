import Glibc

/// What a process and its descendants use, read from the kernel.
struct ProcessUse {
    private let root: pid_t

    init?(root: Int?) {
        guard let root, root > 0 else { return nil }
        self.root = pid_t(root)
    }

    /// CPU time, user and system, of all threads there have been, in nanoseconds. From the processes' CPU clocks: the
    /// figures in /proc come in hundredths of a second.
    var cpu: Int64 { family.reduce(0) { $0 + Self.cpu(of: $1) } }

    /// Resident memory in KiB; pages that processes share count once for each.
    var residentKiB: Int { family.reduce(0) { $0 + Self.resident(of: $1) } }

    static func cpu(of process: pid_t) -> Int64 {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(process, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func resident(of process: pid_t) -> Int {
        for line in read("/proc/\(process)/status").split(separator: "\n") where line.hasPrefix("VmRSS:") {
            return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0
        }
        return 0
    }

    /// The process and its descendants.
    private var family: [pid_t] {
        var children: [pid_t: [pid_t]] = [:]
        guard let directory = opendir("/proc") else { return [root] }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let process = pid_t(name), let parent = Self.parent(of: process) else { continue }
            children[parent, default: []].append(process)
        }
        var found = [root]
        var index = 0
        while index < found.count {
            found += children[found[index]] ?? []
            index += 1
        }
        return found
    }

    private static func parent(of process: pid_t) -> pid_t? {
        // The command's name stands in parentheses and may hold anything.
        let fields = read("/proc/\(process)/stat").split(separator: ")").last?.split(separator: " ")
        guard let fields, fields.count > 1 else { return nil }
        return pid_t(fields[1])
    }

    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
