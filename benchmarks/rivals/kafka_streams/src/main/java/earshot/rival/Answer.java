package earshot.rival;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What is counted of a SurveyResponse. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Answer(
    Map<String, String> segments,
    @JsonProperty("answers") Given given,
    @JsonProperty("answered_at") String at) {

  @JsonIgnoreProperties(ignoreUnknown = true)
  record Given(int score) {}

  static final int DIMENSIONS = 8;
  static final int PAIRS = 10;

  private static final ObjectReader READER = new ObjectMapper().readerFor(Answer.class);

  static Answer read(byte[] json) {
    try {
      return READER.readValue(json);
    } catch (IOException fault) {
      throw new UncheckedIOException(fault);
    }
  }

  /** The keys of its cells: all, each dimension, the first pairs in the order of combinations. */
  List<String> cells() {
    // times on the topic are in UTC and end in Z: the hour is what stands before the first colon
    String hour = "|" + at.substring(0, at.indexOf(':')) + ":00:00Z";
    List<String> cells = new ArrayList<>(1 + DIMENSIONS + PAIRS);
    cells.add("|" + hour);
    String[] names = new String[DIMENSIONS];
    String[] values = new String[DIMENSIONS];
    for (int i = 0; i < DIMENSIONS; i++) {
      names[i] = "d" + i;
      values[i] = segments.get(names[i]);
      cells.add(names[i] + "|" + values[i] + hour);
    }
    for (int i = 0; i < DIMENSIONS; i++) {
      for (int j = i + 1; j < DIMENSIONS && cells.size() < 1 + DIMENSIONS + PAIRS; j++) {
        cells.add(names[i] + "," + names[j] + "|" + values[i] + "," + values[j] + hour);
      }
    }
    return cells;
  }
}
