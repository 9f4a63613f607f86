package earshot.rival;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** The counts of one cell; classes are those of NPS on 0..10. */
record Tally(long n, long sum, long detractors, long passives, long promoters) {

  static final Tally NONE = new Tally(0, 0, 0, 0, 0);

  Tally plus(int score) {
    return new Tally(
        n + 1,
        sum + score,
        detractors + (score <= 6 ? 1 : 0),
        passives + (score == 7 || score == 8 ? 1 : 0),
        promoters + (score >= 9 ? 1 : 0));
  }

  Tally plus(Tally other) {
    return new Tally(
        n + other.n,
        sum + other.sum,
        detractors + other.detractors,
        passives + other.passives,
        promoters + other.promoters);
  }

  long[] numbers() {
    return new long[] {n, sum, detractors, passives, promoters};
  }

  static Serde<Tally> serde() {
    return Serdes.serdeFrom((topic, tally) -> tally.bytes(), (topic, bytes) -> read(bytes));
  }

  private byte[] bytes() {
    ByteBuffer buffer = ByteBuffer.allocate(5 * Long.BYTES);
    for (long number : numbers()) {
      buffer.putLong(number);
    }
    return buffer.array();
  }

  private static Tally read(byte[] bytes) {
    if (bytes == null) {
      return null;
    }
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    return new Tally(
        buffer.getLong(), buffer.getLong(), buffer.getLong(), buffer.getLong(), buffer.getLong());
  }
}
