/* What the gateway and its shards count, in the text format of Prometheus. */
#ifndef GATEWAYD_METRICS_H
#define GATEWAYD_METRICS_H

#include "common/bytes.h"

struct status;

/* All of them, as of now.  0, or -1: no memory. */
int	 metrics_write(const struct status *st, struct buf *out);

#endif
