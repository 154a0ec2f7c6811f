/* What a response is of: its tag, its date, and what the request wants of it. */
#ifndef SHARDD_ENTITY_H
#define SHARDD_ENTITY_H

#include <time.h>

#include "proto/http_cond.h"

struct kennel_request;

/*
 * q, a GET or HEAD, would be answered with 200 and size bytes that have this tag and date,
 * if the application has given no others; both are added to the answer.  What it is to be
 * answered with, as http_condition() has it: 304, 412 and 416 are answered.
 */
int	 entity_ask(struct kennel_request *q, const char *etag, time_t modified,
	    uint64_t size, struct http_range *range);

#endif
