/* Prometheus' text format. */
#include <inttypes.h>

#include "common/bytes.h"
#include "common/histogram.h"
#include "gatewayd/exposition.h"

void
exposition_head(struct buf *out, const char *name, const char *help,
    enum metric_type type)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
	    metric_type_name(type));
}

void
exposition_plain(struct buf *out, const char *name, uint64_t v)
{
	buf_addf(out, "%s %" PRIu64 "\n", name, v);
}

void
exposition_labelled(struct buf *out, const char *name, const char *label,
    const char *value, uint64_t v)
{
	buf_addf(out, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, v);
}

void
exposition_slot(struct buf *out, const char *name, uint32_t slot, uint64_t v)
{
	buf_addf(out, "%s{shard=\"%" PRIu32 "\"} %" PRIu64 "\n", name, slot, v);
}

void
exposition_histogram(struct buf *out, const char *name, const uint64_t *cells)
{
	uint64_t	 n = 0, ns = cells[HISTOGRAM_SUM];

	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
		n += cells[i];
		buf_addf(out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name,
		    histogram_texts[i], n);
	}
	n += cells[HISTOGRAM_BOUNDS];
	buf_addf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %" PRIu64
	    ".%09" PRIu64 "\n%s_count %" PRIu64 "\n", name, n, name,
	    ns / 1000000000, ns % 1000000000, name, n);
}
