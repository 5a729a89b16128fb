#include "CSupport.h"

// Values below 64 have a bucket each; above, the six bits after the leading one choose the bucket.
enum { LINEAR_BITS = 6 };

static unsigned bucket_of(uint64_t value) {
  if (value < (1u << LINEAR_BITS)) return (unsigned)value;
  unsigned exponent = 63u - (unsigned)__builtin_clzll(value);
  unsigned shift = exponent - LINEAR_BITS;
  return ((shift + 1) << LINEAR_BITS) + (unsigned)((value >> shift) & ((1u << LINEAR_BITS) - 1));
}

static uint64_t highest_of(unsigned bucket) {
  if (bucket < (1u << LINEAR_BITS)) return bucket;
  unsigned shift = (bucket >> LINEAR_BITS) - 1;
  uint64_t base = (1u << LINEAR_BITS) + (bucket & ((1u << LINEAR_BITS) - 1));
  return ((base + 1) << shift) - 1;
}

void bench_histogram_add(bench_histogram *histogram, uint64_t nanoseconds) {
  histogram->counts[bucket_of(nanoseconds)]++;
  histogram->total++;
  if (nanoseconds > histogram->largest) histogram->largest = nanoseconds;
}

uint64_t bench_histogram_quantile(const bench_histogram *histogram, double fraction) {
  uint64_t wanted = (uint64_t)(fraction * (double)histogram->total);
  uint64_t seen = 0;
  for (unsigned bucket = 0; bucket < BENCH_HISTOGRAM_BUCKETS; bucket++) {
    seen += histogram->counts[bucket];
    if (seen > wanted) {
      uint64_t highest = highest_of(bucket);
      return highest < histogram->largest ? highest : histogram->largest;
    }
  }
  return histogram->largest;
}
