package earshot.rival;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.TaskMetadata;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.InvalidStateStoreException;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;

/** Counts the answers of a topic until none came for a while; `streams` or `streams-local`. */
public final class Main {

  private static final long TICK_MS = 200;
  private static final long QUIET_MS = 5_000;

  /** When the last answer was decoded, in ms since 1970; 0 where none was yet, or none is left. */
  private final AtomicLong heard = new AtomicLong();

  private final KafkaStreams streams;

  private Main(String way, Map<String, String> environment) {
    String topic = environment.get("TOPIC");
    Topology topology =
        switch (way) {
          case "streams" -> Topologies.repartitioned(topic, this::read);
          case "streams-local" -> Topologies.local(topic, this::read);
          default -> throw new IllegalArgumentException("streams or streams-local, not " + way);
        };
    streams = new KafkaStreams(topology, Settings.of(environment));
    streams.setUncaughtExceptionHandler(
        fault -> {
          fault.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
  }

  private Answer read(byte[] json) {
    heard.lazySet(System.currentTimeMillis());
    return Answer.read(json);
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Map<String, String> environment = System.getenv();
    Main main = new Main(arguments[0], environment);
    main.streams.start();
    main.follow();
    main.write(Path.of(environment.get("FOLDER")));
    main.streams.close();
  }

  /** Tell how far it is until no answer came for a while. */
  private void follow() throws InterruptedException {
    long told = -1;
    long seen = 0;
    long moved = System.currentTimeMillis();
    while (seen == 0 || System.currentTimeMillis() - Math.max(moved, heard.get()) < QUIET_MS) {
      if (streams.state().hasCompletedShutdown()) {
        throw new IllegalStateException("Kafka Streams ended, see above");
      }
      Thread.sleep(told < 0 ? 10 : TICK_MS);
      long before = seen;
      seen = Math.max(before, counted());
      if (seen > before || streams.state() != KafkaStreams.State.RUNNING || behind()) {
        moved = System.currentTimeMillis();
      }
      // a query sees what is not committed yet; a tick later it is: that is two commit intervals
      if (before > told && (before > 0 || heard.get() > 0)) {
        told = before;
        tell(told, System.currentTimeMillis());
      }
    }
  }

  /** Whether any task, of either half, has records left that it knows of. */
  private boolean behind() {
    return streams.metadataForLocalThreads().stream()
        .flatMap(thread -> thread.activeTasks().stream())
        .anyMatch(Main::behind);
  }

  private static boolean behind(TaskMetadata task) {
    Map<TopicPartition, Long> committed = task.committedOffsets();
    return task.endOffsets().entrySet().stream()
        .anyMatch(end -> committed.getOrDefault(end.getKey(), 0L) < end.getValue());
  }

  /** How many answers the store has, also those of a transaction that is still open. */
  private long counted() {
    long answers = 0;
    try (KeyValueIterator<String, Tally> totals =
        cells().prefixScan("||", Serdes.String().serializer())) {
      while (totals.hasNext()) {
        answers += totals.next().value.n();
      }
    } catch (InvalidStateStoreException placing) {
      return 0;
    }
    return answers;
  }

  /** All cells, added up over the partitions that have them. */
  private void write(Path folder) throws IOException {
    Map<String, Tally> sums = new TreeMap<>();
    try (KeyValueIterator<String, Tally> all = cells().all()) {
      all.forEachRemaining(cell -> sums.merge(cell.key, cell.value, Tally::plus));
    }
    Map<String, long[]> counts = new TreeMap<>();
    sums.forEach((cell, tally) -> counts.put(cell, tally.numbers()));
    new ObjectMapper().writeValue(folder.resolve("counts.json").toFile(), counts);
  }

  private ReadOnlyKeyValueStore<String, Tally> cells() {
    return streams.store(
        StoreQueryParameters.fromNameAndType(
            Topologies.CELLS, QueryableStoreTypes.<String, Tally>keyValueStore()));
  }

  private static void tell(long done, long atMs) {
    System.out.printf(Locale.ROOT, "{\"done\": %d, \"at\": %.3f}%n", done, atMs / 1e3);
    System.out.flush();
  }
}
