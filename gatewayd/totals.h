/* What has happened since this gateway started, in numbers. */
#ifndef GATEWAYD_TOTALS_H
#define GATEWAYD_TOTALS_H

#include <stdint.h>

#include "proto/close_why.h"

struct totals {
	uint64_t accepted;		/* connections */
	uint64_t requests;		/* heads read, at home too */
	uint64_t handed;		/* adopted by shards */
	uint64_t home;			/* came home */
	uint64_t refused;		/* answered with an error by the gateway */
	uint64_t proxy_refused;		/* closed: no right head of a proxy */
	uint64_t gone[CLOSE_NWHYS];	/* as the shards say */
	uint64_t second_release;	/* should be 0 */
};

#endif
