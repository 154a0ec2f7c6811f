/*
 * A relay is one stream on its way to its receivers here: to each over a lane, a stream of
 * the receiver's own, with an id from that connection's counter.  Who they are is
 * settled when it opens.
 *
 * Of a stream that begins here (of a client, or of the server) the relay has a source,
 * which is told to wait while any receiver is over its mark, and it tells the
 * other replicas, who have relays of their own for it.  These say when one of theirs
 * is over its mark, or when they have no receivers.
 */
#ifndef EVENTS_RELAY_H
#define EVENTS_RELAY_H

#include "shardd/events/relays.h"
#include "shardd/events/say.h"

struct relay;

/*
 * A stream of v's own opens: f's event, data (the info) to t, everywhere.  by: the client
 * that sends it, or NULL.  source may be NULL.  NULL with errno ENOMEM, EMSGSIZE.
 */
struct relay *relay_open(struct events_server *v, struct events_socket *by,
	    const struct targets *t, const struct fasttcp_frame *f,
	    const struct relay_source *source, void *arg);
/* A stream to one client here, answered if ack: *id is what it is called there. */
struct relay *relay_open_one(struct events_socket *s, int ack,
	    const struct fasttcp_frame *f, const struct relay_source *source,
	    void *arg, uint32_t *id);
/* More of it, of that type: string or binary.  by as above.  Returns as say_tell(). */
int	 relay_chunk(struct relay *r, struct events_socket *by,
	    uint8_t data_type, struct slice data);
/* Its end, for all receivers; frees r. */
void	 relay_end(struct relay *r, struct events_socket *by);
/* The same before all was said, and they hear why. */
void	 relay_cut(struct relay *r, const char *why);
/* Are there receivers, in whatever process of this cluster? */
int	 relay_is_heard(struct relay *r);
/* Other hosts, and the way there: r waits for them, or no more; they hear no more of it,
 * which may free r. */
void	 relay_voyage_high(struct relay *r, int high);
void	 relay_voyage_gone(struct relay *r);

/* ---- of a neighbour: what it tells of its streams, and of ours ---- */

void	 relay_told_open(struct events_server *v, uint64_t neighbour,
	    const struct word *w, const struct targets *t, struct slice info);
/* The same for s alone, who was on its way; and what has come since. */
void	 relay_told_open_one(struct events_socket *s, uint64_t neighbour,
	    const struct word *w, struct slice info);
void	 relay_told_chunk(struct events_server *v, uint64_t neighbour,
	    const struct word *w, struct slice data);
void	 relay_told_end(struct events_server *v, uint64_t neighbour,
	    const struct word *w);
void	 relay_told_nobody(struct events_server *v, uint64_t neighbour,
	    const struct word *w);
void	 relay_told_press(struct events_server *v, uint64_t neighbour,
	    const struct word *w);

/* ---- what becomes of those who hear ---- */

/* s has gone, and gets nothing more. */
void	 relay_socket_gone(struct events_socket *s);
/* s is over its mark, or no more. */
void	 relay_socket_high(struct events_socket *s, int high);
/* That replica has ended: so have its streams, and it hears none of ours. */
void	 relay_neighbour_gone(struct events_server *v, uint64_t neighbour);
/* What waited for other processes is on its way. */
void	 relay_eased(struct events_server *v);
/* v ends. */
void	 relay_clear(struct events_server *v);

#endif
