/* pact: what sockets hear. */
#ifndef SHARDD_APPS_PACT_TELL_H
#define SHARDD_APPS_PACT_TELL_H

#include "shardd/apps/pact_socket.h"

/* Ends t and sends it to one socket. */
void	 pact_send(struct pact_socket *ps, struct js_text *t);
void	 pact_error(struct pact_socket *ps, const char *text);
/* "too <what>, at most <max>" */
void	 pact_limit_error(struct pact_socket *ps, const char *what,
	    size_t max);
void	 pact_profile(struct pact_socket *ps);
/* The present state of what it has just subscribed to. */
void	 pact_tell_state(struct pact_socket *ps, const char *event,
	    const char *id);
/* {"suffix":n,"properties":{public}: the brace is not closed. */
void	 pact_write_public(FILE *f, struct pact_socket *ps);
void	 pact_write_private(FILE *f, const struct pact_socket *ps);
void	 pact_write_config(FILE *f, const struct kennel_replica *r);

/* The topics that hear of event with this id: two names in one allocation. */
struct pact_topics {
	const char	*at[3];
	char		*names;
};

/* 0, or -1 without memory; to be freed in both cases. */
int	 pact_topics(struct pact_topics *t, const char *event, const char *id,
	    size_t id_len);
void	 pact_topics_free(struct pact_topics *t);

/* A step took effect; steps were missed: kennel_app's onstep and onreset. */
void	 pact_step(struct kennel_replica *r,
	    const struct kennel_change *changes, size_t n, const char *data,
	    size_t len);
void	 pact_reset(struct kennel_replica *r);

#endif
