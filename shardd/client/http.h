/* A connection that speaks HTTP: one request, its answer, and home. */
#ifndef SHARDD_HTTP_H
#define SHARDD_HTTP_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/close_why.h"
#include "shardd/client/conn.h"

struct kennel_request;
struct outfile;

/*
 * c, in HTTP, speaks it from now on, to that replica of group.  What early holds
 * is taken; the buf itself is not.  Returns why c ends, or CLOSE_NONE.
 */
enum close_why http_start(struct conn *c, struct buf *early,
	    struct slice group, uint64_t replica);
/* The application's answer; q is freed. */
void	 http_answer(struct kennel_request *q, int status, const char *type,
	    struct slice body);
/* The same with a file (taken) of len bytes as the body. */
void	 http_answer_file(struct kennel_request *q, int status,
	    const char *type, struct outfile *file, uint64_t len);
/* The answer goes on: its head is sent, and q's connection is a stream that start
 * begins; q is freed. */
void	 http_stream(struct kennel_request *q, int status, const char *type,
	    conn_start *start);
/* q's connection becomes a WebSocket, or is told why not; q is freed. */
void	 http_upgrade(struct kennel_request *q);
/* HOMING: the gateway adopted that connection, or did not. */
void	 http_homed(struct clients *all, uint64_t id, int adopted);
/* All that are HOMING: send them again, there is a new gateway. */
void	 http_rehome(struct clients *all);

#endif
