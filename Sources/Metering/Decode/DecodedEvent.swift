/// A slice of bytes that belongs to the record or to the decoder's scratch: valid until the record is destroyed or the
/// scratch is reset.
public typealias ByteSlice = UnsafeRawBufferPointer

/// What one well-formed event says: slices into its bytes, nothing copied, nothing allocated.
public struct DecodedEvent {
  /// The idempotency key, unescaped; empty only with `missing_key: offset` (then ``hasKey`` is false).
  public var key: ByteSlice
  /// The source, unescaped; empty by default.
  public var source: ByteSlice
  /// The customer, unescaped, 1–256 bytes.
  public var customer: ByteSlice
  /// The feature, unescaped, 1–256 bytes.
  public var feature: ByteSlice
  /// The used dimensions in canonical encoding (DimensionEncoding), in the configuration's order; empty for a feature
  /// without dimensions.
  public var dimensions: ByteSlice
  /// The quantity as the event states it, sign of a revert *not* applied; 0 where a `count` feature has none.
  public var quantity: Quantity
  /// Event time, Unix milliseconds.
  public var timeMilliseconds: Int64
  /// `revert: true`.
  public var isRevert: Bool
  /// False where the event has no key and `events.missing_key` is `offset`: it is not deduplicated.
  public var hasKey: Bool
  /// Whether the record's key equals the customer (always true with `key_check: off`).
  public var keyMatchesCustomer: Bool
  /// The feature's rule.
  public var aggregate: Aggregate

  /// An event of nothing, to be filled by ``EventDecoder/decode(_:clockMilliseconds:into:)``.
  public init() {
    let empty = ByteSlice(start: nil, count: 0)
    key = empty
    source = empty
    customer = empty
    feature = empty
    dimensions = empty
    quantity = .zero
    timeMilliseconds = 0
    isRevert = false
    hasKey = false
    keyMatchesCustomer = true
    aggregate = .sum
  }
}
