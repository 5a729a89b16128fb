import NIOCore
import NIOPosix
import Support

// The echo on SwiftNIO: a pipeline of one handler, which writes what it reads and flushes once per read.

/// Writes back what comes.
final class EchoHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

let group = MultiThreadedEventLoopGroup(numberOfThreads: Int(number("threads", 1)))
let channel = try ServerBootstrap(group: group)
  .serverChannelOption(.backlog, value: 4096)
  .childChannelInitializer { channel in
    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(EchoHandler()) }
  }
  .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
  // One read per readiness, as every peer does.
  .childChannelOption(.maxMessagesPerRead, value: 1)
  .bind(host: "127.0.0.1", port: 0)
  .wait()
report("port", Double(channel.localAddress!.port!))
serveCommandsForever()
