package earshot.rival;

import java.util.function.Function;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The two ways to count; both keep `Tally`s by cell in the store {@link #CELLS}. */
final class Topologies {

  static final String CELLS = "cells";

  private Topologies() {}

  /** As its tutorials do: every answer fanned out to its cells, which a second half counts. */
  static Topology repartitioned(String topic, Function<byte[], Answer> read) {
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(topic, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .mapValues(read::apply)
        .flatMap(
            (key, answer) ->
                answer.cells().stream()
                    .map(cell -> KeyValue.pair(cell, answer.given().score()))
                    .toList())
        .groupByKey(Grouped.with(CELLS, Serdes.String(), Serdes.Integer()))
        .aggregate(
            () -> Tally.NONE,
            (cell, score, tally) -> tally.plus(score),
            Materialized.<String, Tally, KeyValueStore<Bytes, byte[]>>as(CELLS)
                .withKeySerde(Serdes.String())
                .withValueSerde(Tally.serde()));
    return builder.build();
  }

  /** As an expert may do for sums: each partition counts its own cells, a reader adds them up. */
  static Topology local(String topic, Function<byte[], Answer> read) {
    return new Topology()
        .addSource(
            "answers", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), topic)
        .addProcessor("count", () -> new Count(read), "answers")
        .addStateStore(
            Stores.keyValueStoreBuilder(
                    Stores.persistentKeyValueStore(CELLS), Serdes.String(), Tally.serde())
                .withCachingEnabled(),
            "count");
  }

  private static final class Count implements Processor<byte[], byte[], Void, Void> {

    private final Function<byte[], Answer> read;
    private KeyValueStore<String, Tally> cells;

    Count(Function<byte[], Answer> read) {
      this.read = read;
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
      cells = context.getStateStore(CELLS);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      Answer answer = read.apply(record.value());
      int score = answer.given().score();
      for (String cell : answer.cells()) {
        Tally before = cells.get(cell);
        cells.put(cell, (before == null ? Tally.NONE : before).plus(score));
      }
    }
  }
}
