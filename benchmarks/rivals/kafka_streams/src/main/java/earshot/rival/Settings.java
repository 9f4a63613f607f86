package earshot.rival;

import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.StreamsConfig;

/** What differs from the defaults, and why. */
final class Settings {

  private Settings() {}

  static Properties of(Map<String, String> environment) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, environment.get("BOOTSTRAP"));
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, environment.get("GROUP"));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, environment.get("FOLDER"));
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    // all cells stay in memory between two commits, and go to RocksDB and the changelog once
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
    // its own default under exactly_once_v2, said here because it weighs most
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    // a quarter of the bytes on the repartition topic
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 128 << 10);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    // a member with a name that comes back after a kill is let in at once, not after its session
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG), "1");
    return settings;
  }
}
