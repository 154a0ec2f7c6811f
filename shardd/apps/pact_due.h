/* pact: the sockets for which something is due, a queue for each delay. */
#ifndef SHARDD_APPS_PACT_DUE_H
#define SHARDD_APPS_PACT_DUE_H

struct pact_socket;

enum pact_due_kind {
	PACT_DUE_PING,		/* in 25 s */
	PACT_DUE_AGAIN,		/* in 1 s: what could not be done */
	PACT_DUE_N
};

/* Something is due for ps when the delay has passed, and nothing else. */
void	 pact_due_add(struct pact_socket *ps, enum pact_due_kind kind);
/* Nothing is. */
void	 pact_due_remove(struct pact_socket *ps);
/* What is done then, of each kind; again is harmless. */
void	 pact_due_start(void (*const run[PACT_DUE_N])(struct pact_socket *));

#endif
