/// A timer of one loop: armed, refreshed and cancelled through ``LoopIO``. Refreshing an armed one is a single store.
// Unchecked for overlapping accesses: they are loads and stores of a word, none of which calls anything.
package final class LoopTimer {
    /// The deadline of a timer that rests: it stays linked and does not fire.
    static let never = Int64.max

    let action: () -> Void
    /// The loop's millisecond before which it does not fire. May be later than the slot it is linked in: the wheel looks
    /// again when the slot comes round.
    @exclusivity(unchecked) var deadline = LoopTimer.never
    /// The tick of the slot it is linked in; 0 while it is in none.
    @exclusivity(unchecked) var linkedTick: Int64 = 0
    @exclusivity(unchecked) var next: LoopTimer?
    /// Safe because `previous.next` is a strong reference to this very timer.
    @exclusivity(unchecked) unowned(unsafe) var previous: LoopTimer?

    /// - Parameter action: runs on the loop when the time is up; may arm or cancel any timer. The wheel holds an
    ///   armed timer, so an action that names its owner does so `unowned` and the owner cancels when it ends.
    package init(_ action: @escaping () -> Void) { self.action = action }

    /// Whether it will fire.
    package var isArmed: Bool { linkedTick != 0 && deadline != Self.never }
}
