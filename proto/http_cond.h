/*
 * What a request wants of a representation: only if it is another one (RFC 9110 13),
 * a range of it (14), compressed (12.5.3).
 */
#ifndef PROTO_HTTP_COND_H
#define PROTO_HTTP_COND_H

#include <stdint.h>
#include <time.h>

#include "common/bytes.h"
#include "proto/http_head.h"

struct http_entity {
	struct slice	 etag;		/* quoted, perhaps behind W/; data NULL: none */
	time_t		 modified;	/* 0: not known */
	uint64_t	 size;
};

struct http_range {
	uint64_t	 first, len;	/* len > 0 */
};

/*
 * How a GET or HEAD is to be answered that would be answered with 200 otherwise: 200;
 * 304; 412; and, where ranges may be answered, 206 with *range, or 416.  Several ranges
 * are 200, and so is what is no range.  range NULL: without ranges.
 */
int	 http_condition(const struct http_head *h, const struct http_entity *e,
	    struct http_range *range);
/* Does it take gzip? */
int	 http_takes_gzip(const struct http_head *h);

#define HTTP_DATE_LEN	30		/* with NUL */
/* An IMF-fixdate. */
void	 http_date_write(char out[HTTP_DATE_LEN], time_t t);
/* Any of the three forms: 0, or -1. */
int	 http_date_read(struct slice s, time_t *t);

#endif
