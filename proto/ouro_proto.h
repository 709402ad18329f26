/* SPDX-License-Identifier: MIT */
/* ouro_proto.h - every public header of libouro-proto; start with ouro_stream.h */
#ifndef OURO_PROTO_H
#define OURO_PROTO_H

#include "ouro_dns.h"
#include "ouro_http_client.h"
#include "ouro_http_cookie.h"
#include "ouro_http_server.h"
#include "ouro_http_test.h"
#include "ouro_stream.h"
#include "ouro_tls.h"

#endif /* OURO_PROTO_H */
