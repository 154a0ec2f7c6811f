/* Clients that have filled a link to another host, and are not read until there is room. */
#ifndef EVENTS_WAITS_H
#define EVENTS_WAITS_H

#include <stdint.h>

struct events_server;
struct events_socket;

void	 waits_hold(struct events_socket *s);
/* The same of the client with that kennel_socket_id(), if it is here. */
void	 waits_hold_number(struct events_server *v, uint64_t number);
/* All that wait go on. */
void	 waits_go_on(struct events_server *v);
/* s has gone. */
void	 waits_socket_gone(struct events_socket *s);
/* Once in a while: whoever has waited very long tries again. */
void	 waits_look(struct events_server *v, uint64_t now);

#endif
