import { describe, expect, test } from '@jest/globals';
import protobuf from 'protobufjs';
import { observerService } from '../../../src/layers/flows/wire.ts';
import { dropReasonName, schema } from '../../../src/layers/flows/wire-proto.ts';

/**
 * What the flows layer sends and reads, as Cilium 1.19.4 publishes it (api/v1/{flow,observer,relay}/*.proto): of a message
 * `name=number:type`, with a star where it is repeated; of an enum `NAME=number`. Written down apart from our `.proto` files, so
 * that a slip in those is seen.
 */
const PUBLISHED: Readonly<Record<string, string>> = {
  'flow.Flow': `
    time=1:google.protobuf.Timestamp uuid=34:string emitter=41:Emitter verdict=2:Verdict
    drop_reason=3:uint32 auth_type=35:AuthType ethernet=4:Ethernet IP=5:IP l4=6:Layer4 tunnel=39:Tunnel
    source=8:Endpoint destination=9:Endpoint Type=10:FlowType node_name=11:string node_labels=37:string*
    source_names=13:string* destination_names=14:string* l7=15:Layer7 reply=16:bool
    event_type=19:CiliumEventType source_service=20:Service destination_service=21:Service
    traffic_direction=22:TrafficDirection policy_match_type=23:uint32
    trace_observation_point=24:TraceObservationPoint trace_reason=36:TraceReason file=38:FileInfo
    ip_trace_id=40:IPTraceID drop_reason_desc=25:DropReason is_reply=26:google.protobuf.BoolValue
    debug_capture_point=27:DebugCapturePoint interface=28:NetworkInterface proxy_port=29:uint32
    trace_context=30:TraceContext sock_xlate_point=31:SocketTranslationPoint socket_cookie=32:uint64
    cgroup_id=33:uint64 Summary=100000:string extensions=150000:google.protobuf.Any
    egress_allowed_by=21001:Policy* ingress_allowed_by=21002:Policy* egress_denied_by=21004:Policy*
    ingress_denied_by=21005:Policy* policy_log=21006:string* aggregate=21007:Aggregate`,
  'flow.Layer4': `
    TCP=1:TCP UDP=2:UDP ICMPv4=3:ICMPv4 ICMPv6=4:ICMPv6 SCTP=5:SCTP VRRP=6:VRRP IGMP=7:IGMP`,
  'flow.Layer7': `
    type=1:L7FlowType latency_ns=2:uint64 dns=100:DNS http=101:HTTP kafka=102:Kafka`,
  'flow.Endpoint': `
    ID=1:uint32 identity=2:uint32 cluster_name=7:string namespace=3:string labels=4:string*
    pod_name=5:string workloads=6:Workload*`,
  'flow.Workload': `
    name=1:string kind=2:string`,
  'flow.TCP': `
    source_port=1:uint32 destination_port=2:uint32 flags=3:TCPFlags`,
  'flow.TCPFlags': `
    FIN=1:bool SYN=2:bool RST=3:bool PSH=4:bool ACK=5:bool URG=6:bool ECE=7:bool CWR=8:bool NS=9:bool`,
  'flow.IP': `
    source=1:string source_xlated=5:string destination=2:string ipVersion=3:IPVersion encrypted=4:bool`,
  'flow.UDP': `
    source_port=1:uint32 destination_port=2:uint32`,
  'flow.SCTP': `
    source_port=1:uint32 destination_port=2:uint32`,
  'flow.ICMPv4': `
    type=1:uint32 code=2:uint32`,
  'flow.ICMPv6': `
    type=1:uint32 code=2:uint32`,
  'flow.CiliumEventType': `
    type=1:int32 sub_type=2:int32`,
  'flow.HTTP': `
    code=1:uint32 method=2:string url=3:string protocol=4:string headers=5:HTTPHeader*`,
  'flow.HTTPHeader': `
    key=1:string value=2:string`,
  'flow.Service': `
    name=1:string namespace=2:string`,
  'flow.LostEvent': `
    source=1:LostEventSource num_events_lost=2:uint64 cpu=3:google.protobuf.Int32Value
    first=4:google.protobuf.Timestamp last=5:google.protobuf.Timestamp`,
  'flow.Verdict': `
    VERDICT_UNKNOWN=0 FORWARDED=1 DROPPED=2 ERROR=3 AUDIT=4 REDIRECTED=5 TRACED=6 TRANSLATED=7`,
  'flow.DropReason': `
    DROP_REASON_UNKNOWN=0 INVALID_SOURCE_MAC=130 INVALID_DESTINATION_MAC=131 INVALID_SOURCE_IP=132
    POLICY_DENIED=133 INVALID_PACKET_DROPPED=134 CT_TRUNCATED_OR_INVALID_HEADER=135
    CT_MISSING_TCP_ACK_FLAG=136 CT_UNKNOWN_L4_PROTOCOL=137 CT_CANNOT_CREATE_ENTRY_FROM_PACKET=138
    UNSUPPORTED_L3_PROTOCOL=139 MISSED_TAIL_CALL=140 ERROR_WRITING_TO_PACKET=141 UNKNOWN_L4_PROTOCOL=142
    UNKNOWN_ICMPV4_CODE=143 UNKNOWN_ICMPV4_TYPE=144 UNKNOWN_ICMPV6_CODE=145 UNKNOWN_ICMPV6_TYPE=146
    ERROR_RETRIEVING_TUNNEL_KEY=147 ERROR_RETRIEVING_TUNNEL_OPTIONS=148 INVALID_GENEVE_OPTION=149
    UNKNOWN_L3_TARGET_ADDRESS=150 STALE_OR_UNROUTABLE_IP=151 NO_MATCHING_LOCAL_CONTAINER_FOUND=152
    ERROR_WHILE_CORRECTING_L3_CHECKSUM=153 ERROR_WHILE_CORRECTING_L4_CHECKSUM=154
    CT_MAP_INSERTION_FAILED=155 INVALID_IPV6_EXTENSION_HEADER=156 IP_FRAGMENTATION_NOT_SUPPORTED=157
    SERVICE_BACKEND_NOT_FOUND=158 NO_TUNNEL_OR_ENCAPSULATION_ENDPOINT=160 FAILED_TO_INSERT_INTO_PROXYMAP=161
    REACHED_EDT_RATE_LIMITING_DROP_HORIZON=162 UNKNOWN_CONNECTION_TRACKING_STATE=163
    LOCAL_HOST_IS_UNREACHABLE=164 NO_CONFIGURATION_AVAILABLE_TO_PERFORM_POLICY_DECISION=165
    UNSUPPORTED_L2_PROTOCOL=166 NO_MAPPING_FOR_NAT_MASQUERADE=167
    UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE=168 FIB_LOOKUP_FAILED=169
    ENCAPSULATION_TRAFFIC_IS_PROHIBITED=170 INVALID_IDENTITY=171 UNKNOWN_SENDER=172 NAT_NOT_NEEDED=173
    IS_A_CLUSTERIP=174 FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND=175 FORBIDDEN_ICMPV6_MESSAGE=176
    DENIED_BY_LB_SRC_RANGE_CHECK=177 SOCKET_LOOKUP_FAILED=178 SOCKET_ASSIGN_FAILED=179
    PROXY_REDIRECTION_NOT_SUPPORTED_FOR_PROTOCOL=180 POLICY_DENY=181 VLAN_FILTERED=182 INVALID_VNI=183
    INVALID_TC_BUFFER=184 NO_SID=185 MISSING_SRV6_STATE=186 NAT46=187 NAT64=188 AUTH_REQUIRED=189
    CT_NO_MAP_FOUND=190 SNAT_NO_MAP_FOUND=191 INVALID_CLUSTER_ID=192 UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP=193
    NO_EGRESS_GATEWAY=194 UNENCRYPTED_TRAFFIC=195 TTL_EXCEEDED=196 NO_NODE_ID=197 DROP_RATE_LIMITED=198
    IGMP_HANDLED=199 IGMP_SUBSCRIBED=200 MULTICAST_HANDLED=201 DROP_HOST_NOT_READY=202 DROP_EP_NOT_READY=203
    DROP_NO_EGRESS_IP=204 DROP_PUNT_PROXY=205`,
  'flow.TrafficDirection': `
    TRAFFIC_DIRECTION_UNKNOWN=0 INGRESS=1 EGRESS=2`,
  'flow.FlowType': `
    UNKNOWN_TYPE=0 L3_L4=1 L7=2 SOCK=3`,
  'flow.L7FlowType': `
    UNKNOWN_L7_TYPE=0 REQUEST=1 RESPONSE=2 SAMPLE=3`,
  'flow.IPVersion': `
    IP_NOT_USED=0 IPv4=1 IPv6=2`,
  'flow.TraceObservationPoint': `
    UNKNOWN_POINT=0 TO_PROXY=1 TO_HOST=2 TO_STACK=3 TO_OVERLAY=4 TO_ENDPOINT=101 FROM_ENDPOINT=5
    FROM_PROXY=6 FROM_HOST=7 FROM_STACK=8 FROM_OVERLAY=9 FROM_NETWORK=10 TO_NETWORK=11 FROM_CRYPTO=12
    TO_CRYPTO=13`,
  'flow.LostEventSource': `
    UNKNOWN_LOST_EVENT_SOURCE=0 PERF_EVENT_RING_BUFFER=1 OBSERVER_EVENTS_QUEUE=2 HUBBLE_RING_BUFFER=3`,
  'flow.FlowFilter': `
    uuid=29:string* source_ip=1:string* source_ip_xlated=34:string* source_pod=2:string*
    source_fqdn=7:string* source_label=10:string* source_service=16:string* source_workload=26:Workload*
    source_cluster_name=37:string* destination_ip=3:string* destination_pod=4:string*
    destination_fqdn=8:string* destination_label=11:string* destination_service=17:string*
    destination_workload=27:Workload* destination_cluster_name=38:string*
    traffic_direction=30:TrafficDirection* verdict=5:Verdict* drop_reason_desc=33:DropReason*
    interface=35:NetworkInterface* event_type=6:EventTypeFilter* http_status_code=9:string*
    protocol=12:string* source_port=13:string* destination_port=14:string* reply=15:bool*
    dns_query=18:string* source_identity=19:uint32* destination_identity=20:uint32* http_method=21:string*
    http_path=22:string* http_url=31:string* http_header=32:HTTPHeader* tcp_flags=23:TCPFlags*
    node_name=24:string* node_labels=36:string* ip_version=25:IPVersion* trace_id=28:string*
    ip_trace_id=39:uint64* encrypted=40:bool* experimental=999:Experimental`,
  'flow.EventTypeFilter': `
    type=1:int32 match_sub_type=2:bool sub_type=3:int32`,
  'observer.ServerStatusRequest': ``,
  'observer.ServerStatusResponse': `
    num_flows=1:uint64 max_flows=2:uint64 seen_flows=3:uint64 uptime_ns=4:uint64
    num_connected_nodes=5:google.protobuf.UInt32Value num_unavailable_nodes=6:google.protobuf.UInt32Value
    unavailable_nodes=7:string* version=8:string flows_rate=9:double`,
  'observer.GetFlowsRequest': `
    number=1:uint64 first=9:bool follow=3:bool blacklist=5:flow.FlowFilter* whitelist=6:flow.FlowFilter*
    since=7:google.protobuf.Timestamp until=8:google.protobuf.Timestamp
    field_mask=10:google.protobuf.FieldMask experimental=999:Experimental
    extensions=150000:google.protobuf.Any`,
  'observer.GetFlowsResponse': `
    flow=1:flow.Flow node_status=2:relay.NodeStatusEvent lost_events=3:flow.LostEvent node_name=1000:string
    time=1001:google.protobuf.Timestamp`,
  'observer.GetNodesRequest': ``,
  'observer.GetNodesResponse': `
    nodes=1:Node*`,
  'observer.Node': `
    name=1:string version=2:string address=3:string state=4:relay.NodeState tls=5:TLS uptime_ns=6:uint64
    num_flows=7:uint64 max_flows=8:uint64 seen_flows=9:uint64`,
  'relay.NodeStatusEvent': `
    state_change=1:NodeState node_names=2:string* message=3:string`,
  'relay.NodeState': `
    UNKNOWN_NODE_STATE=0 NODE_CONNECTED=1 NODE_UNAVAILABLE=2 NODE_GONE=3 NODE_ERROR=4`,
};

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean).sort();
const ours = (name: string): string[] => {
  const type = schema().lookupTypeOrEnum(name);
  if (type instanceof protobuf.Enum) return Object.entries(type.values).map(([key, value]) => `${key}=${value}`);
  return type.fieldsArray.map(
    ({ name: field, id, type: of, repeated }) => `${field}=${id}:${of}${repeated ? '*' : ''}`,
  );
};

describe('our .proto files', () => {
  test.each(Object.entries(PUBLISHED))('%s is as published', (name, published) => {
    expect(ours(name).sort()).toEqual(words(published));
  });

  test('the methods are those of observer.Observer, and GetFlows streams', () => {
    const { GetFlows, GetNodes, ServerStatus } = observerService();
    expect([GetFlows, GetNodes, ServerStatus].map((method) => method!.path)).toEqual([
      '/observer.Observer/GetFlows',
      '/observer.Observer/GetNodes',
      '/observer.Observer/ServerStatus',
    ]);
    expect([GetFlows!.requestStream, GetFlows!.responseStream]).toEqual([false, true]);
  });

  test('a drop reason’s number has its name; one that is newer than the proto has none', () => {
    expect([133, 158, 181, 205, 999].map(dropReasonName)).toEqual([
      'POLICY_DENIED',
      'SERVICE_BACKEND_NOT_FOUND',
      'POLICY_DENY',
      'DROP_PUNT_PROXY',
      undefined,
    ]);
  });
});
