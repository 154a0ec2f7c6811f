/* Clients without WebSocket: a stream from the server, and calls by POST. */
#ifndef SHARDD_APE_POLL_H
#define SHARDD_APE_POLL_H

struct ape_client;
struct kennel_request;
struct room;

/* GET: it becomes a stream.  POST: a call. */
void	 poll_receive(struct kennel_request *q);
/* A stream has begun: what its client reads first. */
void	 poll_begin(struct ape_client *c);
/* From now on there are streams in room. */
void	 poll_watch(struct room *room);

#endif
