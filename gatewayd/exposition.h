/* The text format of Prometheus: heads, and lines with values. */
#ifndef GATEWAYD_EXPOSITION_H
#define GATEWAYD_EXPOSITION_H

#include <stdint.h>

#include "proto/counters.h"

struct buf;

void	 exposition_head(struct buf *out, const char *name, const char *help,
	    enum metric_type type);
void	 exposition_plain(struct buf *out, const char *name, uint64_t v);
/* value is ours: it has nothing to be escaped. */
void	 exposition_labelled(struct buf *out, const char *name, const char *label,
	    const char *value, uint64_t v);
void	 exposition_slot(struct buf *out, const char *name, uint32_t slot,
	    uint64_t v);
/* cells: HISTOGRAM_CELLS of them. */
void	 exposition_histogram(struct buf *out, const char *name,
	    const uint64_t *cells);

#endif
